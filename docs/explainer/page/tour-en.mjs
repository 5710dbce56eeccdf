// The tour's words, stop by stop.
export const tourEnglish = [
  {
    title: "A network that reads its own result",
    text: "A feed-forward network looks at each input once, and forgets it. In a recurrent network the result of the hidden layer, the state h, comes back as an input of the same layer. So what was read before can matter for what is read now: order counts.",
    act: "Find the loop in both pictures. A is the plain RNN, B an LSTM.",
    see: "A hands on one state, h. B hands on two: h, and the cell state c.",
  },
  {
    title: "Unrolled in time",
    text: "Write the loop out, one box a step, and it is an ordinary, deep network. All steps use the same weights: that is why a sequence may have any length. The blue line is the state on its way forward; the red lines are the gradient on its way back, step by step. That is backpropagation through time.",
    act: "Press “Play forward, then back”.",
    see: "First the values from left to right, then the gradient from the answer back to the first letter.",
  },
  {
    title: "Where does the gradient go?",
    text: "On its way back through the RNN the gradient is multiplied at each step by the recurrent weights U and by the slope of tanh. If that makes it smaller by some factor, it is smaller by that factor to the power T at the first step. It vanishes: nothing read there can be learnt from.",
    act: "Move A's spectral radius ρ, from 0.3 to 1.6.",
    see: "The purple line in the chart falls by the same factor at every step. Below some ρ it vanishes; far above it explodes. It stays level in hardly any place.",
  },
  {
    title: "The conveyor belt, and its gate",
    text: "The LSTM has a second state, the cell state c, that passes from step to step without weights and without tanh. Only the forget gate f stands in its way: c = f · c + i · g. A gate is a number between 0, forget, and 1, keep. It is computed from the input and from h, by a sigmoid.",
    act: "Look under B's picture: one unit of the forget gate, down to its products. Choose another unit, or another gate in the picture.",
    see: "Three gates and a candidate: forget, input (what to write), candidate (what could be written), output (what to show).",
  },
  {
    title: "Switch the forget gate off",
    text: "Back along c, the gradient is multiplied at each step by f alone. With f near 1 hardly anything is lost. So which gate keeps the gradient alive? Find out by switching it off.",
    act: "Move B's “bias of the forget gate” down to −6, then up to 6. Then try the other gates.",
    see: "With the forget gate shut, c's line falls off a cliff: the LSTM vanishes faster than the RNN. No other gate does that. At a bias of 0 the gate is half open, and half of the gradient is lost at every step.",
  },
  {
    title: "What it is good for",
    text: "The task: the first symbol of 20 is A, B, C or D, the rest is noise. Which one was it? To learn that, the gradient has to get from the last step back to the first one.",
    act: "Press “Train”, and wait for 150 updates. Then pull “after update” back, and see how the gates have changed. Start over with a forget bias of 0.",
    see: "The LSTM's loss falls from a guess, log 4, to nearly nothing. The RNN's stays where it was.",
  },
  {
    title: "Your turn",
    text: "The GRU (A) has no belt of its own, yet its update gate does the same for h: h = (1 − z) · n + z · h. All of this is the Python in the two editors. Change it, and the pictures follow.",
    act: "In the LSTM write 0 * c for f * c. Or take the output gate out. Or start from one of the other cells, and ask of each: along which line does the gradient survive?",
    see: "An error names the line. “Start over” makes new networks; “Share” gives a link with all you see.",
  },
];
