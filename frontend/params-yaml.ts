/** The YAML side of a generated form: asks the server to write the controls as text and to read the text into the controls. */
import { csrf, el, getJson, icon, toast } from "./dom";
import { t } from "./words";

type Control = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

interface Problem {
  line: number | null;
  field: string;
  message: string;
}

interface Read {
  controls: Record<string, string>;
  problems: Problem[];
}

const PAUSE_MS = 500;

export class ParamsYaml {
  private readonly area: HTMLTextAreaElement;
  private readonly list: HTMLElement;
  private written = "";
  private asked = 0;

  constructor(
    private readonly form: HTMLElement,
    part: HTMLElement,
    private readonly url: string,
  ) {
    this.area = part.querySelector("[data-yaml-text]")!;
    this.list = part.querySelector("[data-yaml-problems]")!;
    this.area.addEventListener("input", (event) => {
      event.stopPropagation(); // the estimate beside the form reads the controls
      const turn = ++this.asked;
      setTimeout(() => turn === this.asked && void this.apply(), PAUSE_MS);
    });
  }

  /** The controls as they are now, as text. */
  async open(): Promise<void> {
    try {
      const { yaml } = await getJson<{ yaml: string }>(this.url, { method: "POST", body: this.body() });
      this.area.value = this.written = yaml;
      this.show([]);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "bad");
    }
    this.area.focus();
    this.area.setSelectionRange(0, 0);
  }

  get changed(): boolean {
    return this.area.value !== this.written;
  }

  /** Puts the text into the controls. True when nothing is wrong with it; what is wrong stands under it with its line. */
  async apply(): Promise<boolean> {
    if (!this.changed) return !this.list.childElementCount;
    const turn = ++this.asked;
    const text = this.area.value;
    const body = this.body();
    body.set("yaml", text);
    let read: Read;
    try {
      read = await getJson<Read>(this.url, { method: "POST", body });
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), "bad");
      return false;
    }
    if (turn !== this.asked) return false; // a newer text is on its way
    for (const [name, value] of Object.entries(read.controls)) this.set(name, value);
    this.form.dispatchEvent(new Event("change", { bubbles: true }));
    this.show(read.problems);
    if (!read.problems.length) this.written = text;
    return !read.problems.length;
  }

  private holders(): HTMLElement[] {
    return [...this.form.querySelectorAll<HTMLElement>("[data-param]")];
  }

  private body(): FormData {
    const around = this.form.closest("form");
    const body = around ? new FormData(around) : new FormData();
    for (const [name, value] of [...body.entries()]) if (value instanceof File) body.delete(name);
    body.delete("yaml");
    body.set("csrfmiddlewaretoken", csrf());
    for (const holder of this.holders()) body.append("names", holder.dataset.param ?? "");
    return body;
  }

  private set(name: string, value: string): void {
    const holder = this.form.querySelector<HTMLElement>(`[data-param="${CSS.escape(name)}"]`);
    const controls = [...(holder?.querySelectorAll<Control>("input:not([type=hidden], [type=file]), select, textarea") ?? [])];
    for (const control of controls) {
      if (control instanceof HTMLInputElement && control.type === "checkbox") control.checked = value === "true";
      else if (control instanceof HTMLInputElement && control.type === "radio") control.checked = control.value === value;
      else {
        if (control instanceof HTMLSelectElement && ![...control.options].some((option) => option.value === value)) control.append(el("option", { value }, value));
        control.value = value;
      }
    }
  }

  /** Each with its line; pressing it goes there. The field it is about is marked in the form, too. */
  private show(problems: Problem[]): void {
    this.area.setAttribute("aria-invalid", String(problems.length > 0));
    this.list.replaceChildren(
      ...problems.map((problem) => {
        const where = problem.line ? t("Line {line}", { line: problem.line }) : "";
        const text = [where, problem.field, problem.message].filter(Boolean).join(": ");
        const button = el("button", { type: "button", class: "field-error cursor-pointer text-left" }, icon("circle-alert"), text);
        button.addEventListener("click", () => this.goTo(problem.line ?? 1));
        return el("li", {}, button);
      }),
    );
    for (const error of this.form.querySelectorAll("[data-yaml-error]")) error.remove();
    for (const problem of problems) {
      const name = problem.field.split(".")[0] ?? "";
      const holder = name && this.form.querySelector(`[data-param="${CSS.escape(name)}"]`);
      if (holder) holder.append(el("p", { class: "field-error", "data-yaml-error": true }, icon("circle-alert"), problem.message));
    }
  }

  private goTo(line: number): void {
    const lines = this.area.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    this.area.focus();
    this.area.setSelectionRange(start, start + (lines[line - 1]?.length ?? 0));
    this.area.scrollTop = (this.area.scrollHeight / Math.max(1, lines.length)) * Math.max(0, line - 4);
  }
}
