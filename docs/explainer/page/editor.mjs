// The editor: CodeMirror with Python, in the page's colours. The build bundles this file.
import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, HighlightStyle, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, setDiagnostics } from "@codemirror/lint";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { tags } from "@lezer/highlight";

const look = EditorView.theme({
  "&": { color: "var(--v-ink)", backgroundColor: "var(--v-paper)", fontSize: "var(--code-size, 13.5px)" },
  ".cm-content": { fontFamily: "var(--mono)", caretColor: "var(--v-accent)", padding: "8px 0" },
  ".cm-scroller": { fontFamily: "var(--mono)", lineHeight: "1.5" },
  ".cm-gutters": { backgroundColor: "transparent", color: "var(--soft)", border: "none" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--v-learned) 50%, transparent)" },
  "&.cm-focused": { outline: "2px solid var(--v-accent)", outlineOffset: "-2px" },
  "&.cm-focused .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--v-learned) !important" },
  ".cm-cursor": { borderLeftColor: "var(--v-accent)" },
  ".cm-tooltip": { backgroundColor: "var(--v-paper)", border: "1px solid var(--v-frame)", color: "var(--v-ink)" },
  ".cm-matchingBracket": { backgroundColor: "var(--v-named) !important", color: "inherit !important" },
  ".cm-lint-marker-error": { content: "none", width: "8px", height: "8px", marginTop: "6px", borderRadius: "50%", backgroundColor: "var(--v-alarm)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.controlKeyword, tags.definitionKeyword, tags.moduleKeyword], color: "color-mix(in srgb, var(--v-m4) 80%, var(--v-ink))" },
  { tag: [tags.string, tags.docString], color: "color-mix(in srgb, var(--v-m1) 80%, var(--v-ink))" },
  { tag: tags.comment, color: "var(--soft)", fontStyle: "italic" },
  { tag: [tags.number, tags.bool, tags.null], color: "color-mix(in srgb, var(--v-m3) 80%, var(--v-ink))" },
  { tag: [tags.function(tags.definition(tags.variableName)), tags.className, tags.definition(tags.className)], color: "var(--v-accent)", fontWeight: "600" },
]);

export class Editor {
  /** An editor in `parent`; `onedit(text)` is called at each change that the reader makes. */
  constructor(parent, label, onedit) {
    this.label = label;
    this.labelled = new Compartment();
    this.extensions = [
      lineNumbers(), history(), drawSelection(), indentOnInput(), bracketMatching(), closeBrackets(),
      highlightActiveLine(), lintGutter(), python(), indentUnit.of("    "), syntaxHighlighting(colours), look,
      // Escape, then Tab leaves the editor: CodeMirror's own rule for the keyboard.
      keymap.of([...closeBracketsKeymap, ...defaultKeymap, ...historyKeymap, indentWithTab]),
      EditorView.updateListener.of((update) => { if (update.docChanged) onedit(this.text); }),
    ];
    this.view = new EditorView({ parent, state: this.#fresh("") });
  }

  /** A text without a history: undo stops at it. */
  #fresh(doc) {
    return EditorState.create({ doc, extensions: [...this.extensions, this.labelled.of(this.#attributes())] });
  }

  #attributes() { return EditorView.contentAttributes.of({ "aria-label": this.label, tabindex: "0" }); }

  get text() { return this.view.state.doc.toString(); }

  set text(text) {
    if (text !== this.text) this.view.setState(this.#fresh(text));
  }

  name(label) {
    this.label = label;
    this.view.dispatch({ effects: this.labelled.reconfigure(this.#attributes()) });
  }

  /** Mark a line as wrong; none without a line. */
  blame(line, message) {
    const { doc } = this.view.state, found = [];
    if (line >= 1 && line <= doc.lines) {
      const { from, to, text } = doc.line(line);
      found.push({ from: from + text.length - text.trimStart().length, to, severity: "error", message });
    }
    this.view.dispatch(setDiagnostics(this.view.state, found));
  }
}
