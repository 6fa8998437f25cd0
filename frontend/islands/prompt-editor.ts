/** `<prompt-editor>` around `<textarea name="messages">` and `<textarea name="variables">`, both JSON: message cards, and a table of
 *  the variables found live in `{{ }}`. Without scripts the two textareas are edited as they are. */
import { el, icon } from "../dom";
import { t } from "../words";

interface Message {
  role: string;
  content: string;
}

interface Variable {
  name: string;
  type: string;
  label: string;
  required: boolean;
  default: string | number | boolean | null;
  primary: boolean;
  choices: string[];
}

const EXPRESSION = /\{\{(.*?)\}\}|\{%(.*?)%\}/gs;
const NAME = /(?<![.\w"'])([A-Za-z\u00C0-\uFFFF_][\w\u00C0-\uFFFF]*)(?!\s*[(\w])/g;
const RESERVED = new Set(
  "true false none True False None and or not in is if elif else endif for endfor set endset filter endfilter loop recursive defined undefined".split(" "),
);

/** Names that a template uses, in order of appearance. The server decides; this only keeps the table beside the text. */
export function variablesIn(texts: string[]): string[] {
  const found = new Set<string>();
  const own = new Set<string>();
  for (const text of texts) {
    for (const [, printed, statement] of text.matchAll(EXPRESSION)) {
      const code = (printed ?? statement ?? "").replace(/"[^"]*"|'[^']*'/g, "").replace(/\|\s*\w+(\([^)]*\))?/g, "");
      for (const set of code.matchAll(/\b(?:for|set)\s+(\w+)/g)) own.add(set[1]!);
      for (const [, name] of code.matchAll(NAME)) if (!RESERVED.has(name!) && !own.has(name!)) found.add(name!);
    }
  }
  return [...found];
}

class PromptEditor extends HTMLElement {
  private messages: Message[] = [];
  private variables: Variable[] = [];
  private dropped = new Map<string, Variable>();
  private readonly cards = el("div", { class: "flex flex-col gap-3" });
  private readonly rows = el("tbody");
  private readonly count = el("span", { class: "hint" });

  connectedCallback(): void {
    if (!this.field("messages") || !this.field("variables")) return;
    try {
      this.messages = JSON.parse(this.field("messages")!.value || "[]");
      this.variables = JSON.parse(this.field("variables")!.value || "[]");
    } catch {
      return; // What the server sent back unreadable stays as text, so that it can be mended.
    }
    for (const name of ["messages", "variables"]) (this.field(name)!.closest<HTMLElement>(".field") ?? this.field(name)!).hidden = true;
    if (!this.messages.length) this.messages = [{ role: "system", content: "" }, { role: "user", content: "" }];
    this.append(this.layout());
    this.drawCards();
    this.sync(true);
  }

  private field(name: string): HTMLTextAreaElement | null {
    return this.querySelector(`textarea[name="${name}"]`);
  }

  private layout(): HTMLElement {
    const add = el("button", { type: "button", class: "btn btn-sm self-start" }, icon("plus"), t("Add message"));
    add.addEventListener("click", () => {
      this.messages.push({ role: this.messages.at(-1)?.role === "user" ? "assistant" : "user", content: "" });
      this.drawCards();
      this.sync();
      this.cards.querySelector<HTMLElement>("[data-message]:last-child textarea")?.focus();
    });
    const heads = [t("Name"), t("Type"), t("Label"), t("Default"), t("Needed"), t("Main input")];
    const table = el(
      "div",
      { class: "table-wrap table-tight" },
      el("table", { class: "table" }, el("thead", {}, el("tr", {}, ...heads.map((head) => el("th", { scope: "col" }, head)))), this.rows),
    );
    return el(
      "div",
      { class: "flex flex-col gap-5" },
      el("section", { class: "flex flex-col gap-3", "aria-label": t("Messages") }, this.cards, add),
      el("section", { class: "panel-flush", "aria-label": t("Variables") }, el("div", { class: "panel-head mb-0! px-5 pt-4 pb-2" }, el("h2", {}, t("Variables")), this.count), table),
    );
  }

  private drawCards(): void {
    this.cards.replaceChildren(...this.messages.map((message, index) => this.card(message, index)));
  }

  private card(message: Message, index: number): HTMLElement {
    const number = index + 1;
    const role = el("select", { class: "select select-sm w-auto font-medium", "aria-label": t("Role of message {number}", { number }) });
    const roles: [string, string][] = [["system", t("System prompt")], ["user", t("User")], ["assistant", t("Assistant")]];
    for (const [value, label] of roles) role.append(el("option", { value, selected: value === message.role }, label));
    role.addEventListener("change", () => {
      message.role = role.value;
      this.sync();
    });
    const area = el("textarea", { class: "textarea min-h-24 w-full border-0 font-mono text-sm leading-relaxed", rows: 4, "aria-label": t("Message {number}", { number }), spellcheck: false, placeholder: t("Text with {{ variable }} places") }, message.content);
    area.addEventListener("input", () => {
      message.content = area.value;
      fit(area);
      this.sync();
    });
    requestAnimationFrame(() => fit(area));
    const remove = el("button", { type: "button", class: "btn btn-ghost btn-sm btn-square", "aria-label": t("Remove message {number}", { number }), title: t("Remove") }, icon("trash-2"));
    remove.addEventListener("click", () => {
      this.messages.splice(index, 1);
      this.drawCards();
      this.sync();
    });
    const up = el("button", { type: "button", class: "btn btn-ghost btn-sm btn-square", "aria-label": t("Move message {number} up", { number }), disabled: index === 0 }, icon("chevron-down", "size-4 rotate-180"));
    up.addEventListener("click", () => {
      this.messages.splice(index - 1, 0, ...this.messages.splice(index, 1));
      this.drawCards();
      this.sync();
    });
    const bar = el("div", { class: "flex items-center gap-1 border-b border-base-300 px-2 py-1.5" }, role, el("span", { class: "flex-1" }), up, this.messages.length > 1 && remove);
    return el("div", { class: "panel-flush focus-within:border-primary", "data-message": index }, bar, area);
  }

  /** Brings the table in step with the texts; a variable that comes back keeps what was said about it. */
  private sync(keepUnused = false): void {
    const used = variablesIn(this.messages.map((message) => message.content));
    const declared = new Map(this.variables.map((variable) => [variable.name, variable]));
    if (!keepUnused) {
      for (const variable of this.variables) if (!used.includes(variable.name)) this.dropped.set(variable.name, variable);
    }
    const names = keepUnused ? [...new Set([...declared.keys(), ...used])] : used;
    const next = names.map((name) => declared.get(name) ?? this.dropped.get(name) ?? fresh(name));
    if (next.length && !next.some((variable) => variable.primary)) {
      const texts = next.filter((variable) => variable.type === "text" || variable.type === "long_text");
      if (texts.length === 1) texts[0]!.primary = true;
    }
    const changed = next.length !== this.rows.querySelectorAll("tr[data-name]").length || next.some((variable) => !declared.has(variable.name));
    this.variables = next;
    if (changed || !this.rows.childElementCount) this.drawRows();
    this.write();
  }

  private write(): void {
    this.field("messages")!.value = JSON.stringify(this.messages);
    this.field("variables")!.value = JSON.stringify(this.variables);
    this.count.textContent = this.variables.length ? String(this.variables.length) : "";
    this.dispatchEvent(new CustomEvent("prompt:change", { bubbles: true, detail: { messages: this.messages, variables: this.variables } }));
  }

  private drawRows(): void {
    const none = el("tr", {}, el("td", { colspan: 6, class: "hint" }, t("Write {{ name }} in a message and it appears here.")));
    this.rows.replaceChildren(...(this.variables.length ? this.variables.map((variable) => this.row(variable)) : [none]));
  }

  private row(variable: Variable): HTMLElement {
    const label = (what: string) => `${variable.name}: ${what}`;
    const type = el("select", { class: "select select-sm w-full min-w-22", "aria-label": label(t("Type")) });
    const types: [string, string][] = [["text", t("Text")], ["long_text", t("Long text")], ["number", t("Number")], ["choice", t("Choice")], ["boolean", t("Yes or no")]];
    for (const [value, word] of types) type.append(el("option", { value, selected: value === variable.type }, word));
    const choices = el("input", { class: "input input-sm mt-1 w-full min-w-22", value: variable.choices.join(", "), placeholder: t("one, two, three"), "aria-label": label(t("Choices")), hidden: variable.type !== "choice" });
    type.addEventListener("change", () => {
      variable.type = type.value;
      choices.hidden = variable.type !== "choice";
      this.write();
    });
    choices.addEventListener("input", () => {
      variable.choices = choices.value.split(/[,，、]/).map((choice) => choice.trim()).filter(Boolean);
      this.write();
    });
    const shown = el("input", { class: "input input-sm w-full min-w-16", value: variable.label, "aria-label": label(t("Label")) });
    shown.addEventListener("input", () => {
      variable.label = shown.value;
      this.write();
    });
    const preset = el("input", { class: "input input-sm w-full min-w-14", value: variable.default === null ? "" : String(variable.default), "aria-label": label(t("Default")) });
    preset.addEventListener("input", () => {
      variable.default = preset.value === "" ? null : preset.value;
      this.write();
    });
    const needed = el("input", { type: "checkbox", class: "checkbox checkbox-sm", checked: variable.required, "aria-label": label(t("Needed")) });
    needed.addEventListener("change", () => {
      variable.required = needed.checked;
      this.write();
    });
    const primary = el("input", { type: "radio", class: "radio radio-sm", checked: variable.primary, "aria-label": label(t("Main input")) });
    primary.addEventListener("change", () => {
      for (const other of this.variables) other.primary = other === variable;
      this.drawRows();
      this.write();
    });
    const cells = [el("code", { class: "mono inline-block min-w-20 wrap-anywhere" }, ...variable.name.split(/(?<=_)/).flatMap((part) => [part, el("wbr")])), el("span", {}, type, choices), shown, preset, needed, primary];
    return el("tr", { "data-name": variable.name }, ...cells.map((cell) => el("td", {}, cell)));
  }
}

const fresh = (name: string): Variable => ({ name, type: "text", label: name.replaceAll("_", " "), required: true, default: null, primary: false, choices: [] });

function fit(area: HTMLTextAreaElement): void {
  area.style.height = "auto";
  area.style.height = `${Math.min(area.scrollHeight + 2, 600)}px`;
}

customElements.define("prompt-editor", PromptEditor);
