/** An answer becomes a test case: a dialog in which it is edited into the answer that is expected, and kept in a dataset. */
import { el, getJson, icon, Problem } from "./dom";
import { t } from "./words";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Version {
  dataset_name: string;
  number: number;
  url: string;
}

interface Dataset {
  name: string;
  format: string | null;
}

const DATASETS = "/api/v1/datasets/";
const nameKey = (project: string): string => `aifs-cases-${project}`;

/** The button under an answer. messages: the whole exchange, the answer last. Where it was kept takes the button's place. */
export function saveButton(project: string, messages: Message[]): HTMLElement {
  const button = el("button", { type: "button", class: "link-quiet inline-flex items-center gap-1", "data-save-case": true }, icon("flask-conical", "size-3.5"), t("Save as test case"));
  button.addEventListener("click", () => {
    new CaseDialog(project, messages, (version) => {
      const link = el("a", { class: "link-quiet inline-flex items-center gap-1", href: version.url }, icon("circle-check", "size-3.5"), t("Saved in {dataset}", { dataset: `${version.dataset_name}:${version.number}` }));
      button.replaceWith(link);
      link.focus();
    });
  });
  return button;
}

class CaseDialog {
  private readonly dialog = el("dialog", { class: "case-dialog", "aria-labelledby": "case-title" });
  private readonly expected = el("textarea", { class: "textarea w-full leading-relaxed", rows: 8, required: true, autofocus: true });
  private readonly name = el("input", { class: "input w-full", type: "text", list: "case-datasets", maxlength: 120, required: true, autocomplete: "off" });
  private readonly known = el("datalist", { id: "case-datasets" });
  private readonly save = el("button", { class: "btn btn-primary" }, t("Save"));

  constructor(
    private readonly project: string,
    private readonly messages: Message[],
    private readonly saved: (version: Version) => void,
  ) {
    this.expected.value = messages.at(-1)?.content ?? "";
    this.name.value = localStorage.getItem(nameKey(project)) ?? t("Test cases");
    this.dialog.append(this.form());
    this.dialog.addEventListener("close", () => this.dialog.remove());
    document.body.append(this.dialog);
    this.dialog.showModal();
    void this.propose();
  }

  private form(): HTMLElement {
    const cancel = el("button", { type: "button", class: "btn btn-ghost" }, t("Cancel"));
    cancel.addEventListener("click", () => this.dialog.close());
    const form = el(
      "form",
      { class: "flex flex-col gap-4", novalidate: true },
      el("h2", { id: "case-title", class: "panel-title mb-0!" }, t("Save as test case")),
      this.question(),
      this.field("messages", t("Expected answer"), this.expected, t("What a good answer says; change it where the model was wrong.")),
      this.field("name", t("Dataset"), this.name, t("A dataset for evaluation. It gets its next version; a new name makes a new one.")),
      this.known,
      el("div", { class: "flex justify-end gap-2" }, cancel, this.save),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.submit();
    });
    return form;
  }

  private question(): HTMLElement {
    const before = this.messages.length - 2;
    return el(
      "div",
      { class: "field" },
      el("span", { class: "field-label" }, t("Question"), before > 0 && el("span", { class: "field-required" }, t("with {count} messages before it", { count: before }))),
      el("p", { class: "max-h-40 overflow-y-auto rounded-box bg-base-200 px-3 py-2 text-sm break-words whitespace-pre-wrap", tabindex: 0, "data-question": true }, this.messages.at(-2)?.content ?? ""),
    );
  }

  private field(name: string, label: string, input: HTMLElement, help: string): HTMLElement {
    input.id = `case-${name}`;
    input.setAttribute("aria-describedby", `case-${name}-help`);
    return el("div", { class: "field", "data-field": name }, el("label", { for: input.id }, label), input, el("p", { class: "field-help", id: `case-${name}-help` }, help));
  }

  /** Names that can be chosen; whoever knows what to type need not wait for them. */
  private async propose(): Promise<void> {
    try {
      const { results } = await getJson<{ results: Dataset[] }>(`${DATASETS}?project=${this.project}&kind=evaluation`);
      const fit = results.filter((row) => row.format === null || row.format === "messages");
      this.known.replaceChildren(...fit.map((row) => el("option", { value: row.name })));
    } catch {
      // a name can be typed all the same
    }
  }

  private async submit(): Promise<void> {
    for (const old of this.dialog.querySelectorAll(".field-error")) old.remove();
    this.save.disabled = true;
    const messages = [...this.messages.slice(0, -1), { role: "assistant", content: this.expected.value }];
    const body = JSON.stringify({ project: this.project, name: this.name.value, messages });
    try {
      const version = await getJson<Version>(`${DATASETS}cases/`, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      localStorage.setItem(nameKey(this.project), version.dataset_name);
      this.dialog.close();
      this.saved(version);
    } catch (error) {
      this.refuse(error);
    } finally {
      this.save.disabled = false;
    }
  }

  /** What is wrong stands beside the field it is about, else above the buttons. */
  private refuse(error: unknown): void {
    const fields = error instanceof Problem ? error.fields : [];
    const wrong = fields.length ? fields : [{ field: "", message: error instanceof Error ? error.message : String(error) }];
    for (const { field, message } of wrong) {
      const place = this.dialog.querySelector(`[data-field="${CSS.escape(field)}"]`) ?? this.save.parentElement;
      const note = el("p", { class: "field-error", role: "alert" }, icon("circle-alert", ""), message);
      if (place === this.save.parentElement) place?.before(note);
      else place?.append(note);
    }
    this.dialog.querySelector<HTMLElement>("[data-field]:has(.field-error) :is(input, textarea)")?.focus();
  }
}
