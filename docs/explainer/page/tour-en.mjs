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
    text: "Write the loop out, one box a step, and it is an ordinary, deep network. Each box is the whole cell, and all of them have the same weights: that is why a sequence may have any length. The thin lines are values on their way forward; the {red} lines are the gradient on its way back, step by step: how much the answer would change if this value changed a little. That is backpropagation through time. The thicker and darker a line, the larger its gradient.",
    act: "Press “Play forward, then back”.",
    see: "First the values from left to right, then the gradient from the answer back to the first symbol.",
  },
  {
    title: "Where does the gradient go?",
    text: "On its way back through the RNN the gradient is multiplied at each step by the recurrent weights U and by the slope of tanh. Say that halves it: ten steps back a thousandth is left, thirty steps back a billionth. It has vanished, and nothing that was read there can be learnt.",
    act: "Move A's spectral radius ρ, the size of U, slowly from 0.3 up to 2.",
    see: "The purple line (A) is nearly straight while ρ is small: about the same factor at every step, and it vanishes. At 2 it grows more than 200 times: it explodes. Near 1.9 about as much arrives as set out, but only just: a little more or less, or one update of training, and that is over. The solid green line, B's cell state c, stays level by itself. Why?",
  },
  {
    title: "The conveyor belt, and its gate",
    text: "The LSTM has a second state, the cell state c, that passes from step to step like a conveyor belt, without weights and without tanh: c = f · c + i · g, where the c on the right is that of the step before. A gate is a number between 0 (shut) and 1 (open), for each unit. It is computed from the input and from h, by a sigmoid, σ.",
    act: "Click on the gates in B's picture: you see how each was computed, and its gradient, as products. Then click on the + above c: times which number is its gradient handed on to the c before, c[t-1]?",
    see: "Three gates and a candidate. Forget gate f: what to keep of c. Candidate g: what could be written; input gate i: how much of it is. Output gate o: what is shown as h.",
  },
  {
    title: "Switch the gates off",
    text: "On the belt, from c to the c before, the gradient is multiplied at each step by the value of one gate. Which one? Switch each of them off, alone, and look at c's line, the solid green one.",
    act: "Press “switch off” beside B's forget gate. Switch it on again. Then the same with the input gate, and the output gate.",
    ask: {
      question: "Which gate keeps the gradient alive?",
      answers: [
        { gate: "input gate", told: "Look again: with the input gate off, the line of c stays level. This gate decides what is written into c. The way back along c does not pass through it. 81 % is left, as before." },
        { gate: "forget gate", told: "Yes. In c = f · c + i · g, the slope of the new c by the old one is f. So k steps back along the belt the gradient has been multiplied by k values of f. With f near 1 it lives: 29 values of about 0.993 make 81 %. (c also acts through h and the gates of the next step. With these weights that adds next to nothing; with others it may add or take away.) With f shut (0.002) it is gone after a few steps, sooner than in the RNN. At a bias of 0 the gate is half open, and half is lost at every step: try it." },
        { gate: "output gate", told: "Look again: with the output gate off the whole line is lower, since the answer sees c through this gate alone. But the line is level: 81 % of what enters at the last step gets back to the first." },
      ],
    },
  },
  {
    title: "What it is good for",
    text: "The task: the first symbol of 20 is A, B, C or D, the rest is noise. Which one was it? To learn that, the gradient has to get from the last step back to the first one.",
    act: "Press “Train” and wait for 150 updates. Then pull “after update” back, and see how the gates have changed. Press “Start over”, set the forget gate's bias to 0, and train again.",
    see: "The LSTM's loss falls from that of a guess (log 4 = 1.39) to nearly nothing. The RNN's stays where it was: what it should learn from does not reach it.",
  },
  {
    title: "Cut the way back",
    text: "To go back through 10 000 steps, all their values would have to be kept in memory. So the gradient of a long sequence is often cut every k steps: truncated backpropagation. Values still pass the cut, the gradient does not.",
    act: "Here k = 5. Press “Train” for 150 updates. Then set “cut every k steps” to never, press “Start over” and train again.",
    see: "On the chart there is no line before t = 15: the gradient is exactly 0. The first symbol gets none. With the cut, the LSTM's loss is still about 1.2 after 150 updates; without, below 0.2. It learns at all only because its open forget gate happens to carry the symbol past the cut, on the way forward. So k should be as long as what is to be remembered.",
  },
  {
    title: "Your turn",
    text: "The GRU (A) has no cell state, yet its update gate z does the same for h: h = (1 − z) · n + z · h. Below A's picture you see its gradient, two products. All you have seen is made from the Python in these two editors. Change it, and the pictures follow.",
    act: "In the LSTM write 0 * c for f * c. Or take the output gate out. Or start from another cell in the list, and ask: along which line does the gradient survive?",
    see: "An error names the line. “Start over” makes new networks; “Share” gives a link with the cells and all settings; “Save as one HTML file” keeps the training, too.",
  },
];
