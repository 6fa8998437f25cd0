/** `<chat-playground data-url data-models='[{label, options: [{value, label, deployment}], own_system}]' data-rates='{deployment: rate}'
 *  data-model data-project>`: the same question to up to four models or versions of prompts beside each other; answers become test
 *  cases of `data-project`. With `data-bare` a chat with `data-model` alone. `data-url` takes
 *  {model, messages, temperature, max_tokens, stream} and answers OpenAI's events. Enter or Ctrl+Enter sends, Shift+Enter breaks the line. */
import { Conversation, type Model, type Rate, type Settings } from "../conversation";
import { el, icon } from "../dom";
import { t } from "../words";

interface Group {
  label: string;
  options: { value: string; label: string; deployment?: string }[];
  own_system?: boolean;
}

interface Column {
  element: HTMLElement;
  select: HTMLSelectElement;
  conversation: Conversation;
}

const MODELS_KEY = "aifs-playground-models";
const MOST = 4;

class ChatPlayground extends HTMLElement {
  private columns: Column[] = [];
  private readonly bare = this.dataset.bare !== undefined;
  private readonly grid = el("div", { class: "playground-grid" });
  private readonly box = el("textarea", { class: "textarea min-h-11 flex-1 resize-none leading-relaxed", rows: 1, placeholder: t("Write a message"), "aria-label": t("Message"), "aria-keyshortcuts": "Control+Enter" });
  private readonly send = el("button", { type: "submit", class: "btn btn-primary btn-square", "aria-label": t("Send"), title: t("Send") }, icon("send"));
  private readonly stopButton = el("button", { type: "button", class: "btn btn-square", "aria-label": t("Stop"), title: t("Stop"), hidden: true }, icon("square"));
  private readonly addButton = el("button", { type: "button", class: "btn btn-sm" }, icon("plus"), t("Compare with another"));
  private readonly system = el("textarea", { class: "textarea w-full", rows: 4, placeholder: t("How the model should behave (optional)") });
  private readonly temperature = el("input", { class: "input w-full", type: "number", min: 0, max: 2, step: 0.1, value: this.dataset.temperature ?? 0.7 });
  private readonly maxTokens = el("input", { class: "input w-full", type: "number", min: 1, max: 32768, step: 1, value: this.dataset.maxTokens ?? 256 });

  connectedCallback(): void {
    this.replaceChildren(this.layout());
    for (const model of this.wanted()) this.add(model);
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.box.form?.requestSubmit();
      }
    });
    this.box.addEventListener("input", () => this.fit());
    this.stopButton.addEventListener("click", () => this.stop());
    this.addButton.addEventListener("click", () => {
      this.add(this.unused());
      this.columns.at(-1)?.select.focus();
    });
  }

  disconnectedCallback(): void {
    this.stop();
  }

  private groups(): Group[] {
    return this.bare ? [] : (JSON.parse(this.dataset.models ?? "[]") as Group[]);
  }

  private model(value: string): Model {
    const rates = JSON.parse(this.dataset.rates ?? "{}") as Record<string, Rate>;
    const group = this.groups().find((one) => one.options.some((option) => option.value === value));
    const deployment = group?.options.find((option) => option.value === value)?.deployment ?? "";
    return { value, rate: rates[deployment], ownSystem: group?.own_system };
  }

  private values(): string[] {
    return this.groups().flatMap((group) => group.options.map((option) => option.value));
  }

  /** The models to begin with: what the address names, else those of the last time, else the first. */
  private wanted(): string[] {
    if (this.bare) return [this.dataset.model ?? ""];
    const known = this.values();
    if (this.dataset.model && known.includes(this.dataset.model)) return [this.dataset.model];
    let kept: string[] = [];
    try {
      kept = (JSON.parse(localStorage.getItem(MODELS_KEY) ?? "[]") as string[]).filter((value) => known.includes(value)).slice(0, MOST);
    } catch {
      // what somebody else wrote there is no choice of models
    }
    return kept.length ? kept : known.slice(0, 1);
  }

  private unused(): string {
    const taken = this.columns.map((column) => column.select.value);
    return this.values().find((value) => !taken.includes(value)) ?? taken[0] ?? "";
  }

  private layout(): HTMLElement {
    const form = el("form", { class: "flex items-end gap-2 border-t border-base-300 p-3" }, this.box, this.stopButton, this.send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.ask();
    });
    const clear = el("button", { type: "button", class: "btn btn-sm btn-ghost" }, icon("eraser"), t("Start again"));
    clear.addEventListener("click", () => this.clear());
    const chat = el("section", { class: "panel-flush flex h-[min(74dvh,52rem)] min-h-96 min-w-0 flex-col", "aria-label": t("Chat") }, this.grid, form);
    if (this.bare) return el("div", { class: "flex flex-col gap-2" }, chat, el("div", { class: "self-end" }, clear));
    const side = el(
      "section",
      { class: "panel flex flex-col gap-4 self-start", "aria-label": t("Settings") },
      this.setting(t("System message"), this.system),
      this.setting(t("Temperature"), this.temperature, t("0 answers the same each time; higher varies more.")),
      this.setting(t("Longest answer (tokens)"), this.maxTokens),
      el("div", { class: "flex flex-wrap gap-2" }, this.addButton, clear),
    );
    return el("div", { class: "grid gap-4 xl:grid-cols-[minmax(0,1fr)_17rem]" }, chat, side);
  }

  private setting(label: string, input: HTMLElement, help = ""): HTMLElement {
    return el("label", { class: "flex flex-col gap-1.5 text-sm font-medium" }, label, input, help && el("span", { class: "text-xs font-normal text-base-content/70" }, help));
  }

  private add(model: string): void {
    if (this.columns.length >= MOST) return;
    const number = this.columns.length + 1;
    const select = el("select", { class: "select select-sm min-w-0 flex-1", "aria-label": this.bare ? t("Model") : t("Model {number}", { number }) });
    for (const group of this.groups()) {
      select.append(el("optgroup", { label: group.label }, ...group.options.map((option) => el("option", { value: option.value, selected: option.value === model }, option.label))));
    }
    if (this.bare) select.append(el("option", { value: model }, model));
    select.addEventListener("change", () => this.remember());
    const conversation = new Conversation(this.dataset.url ?? "", t("Conversation"), this.dataset.project);
    const remove = el("button", { type: "button", class: "icon-button", "aria-label": t("Remove this model"), title: t("Remove this model"), "data-remove": true }, icon("x"));
    const head = el("div", { class: "flex items-center gap-1 border-b border-base-300 p-2" }, select, remove);
    const element = el("div", { class: "playground-column" }, !this.bare && head, conversation.list);
    const column = { element, select, conversation };
    remove.addEventListener("click", () => this.drop(column));
    this.columns.push(column);
    this.grid.append(element);
    this.settle();
  }

  private drop(column: Column): void {
    column.conversation.stop();
    column.element.remove();
    this.columns = this.columns.filter((other) => other !== column);
    this.settle();
    this.addButton.focus();
  }

  /** After a column came or went: how many there are decides how they stand. */
  private settle(): void {
    this.grid.dataset.columns = String(this.columns.length);
    this.addButton.hidden = this.columns.length >= MOST;
    for (const column of this.columns) column.element.querySelector<HTMLElement>("[data-remove]")?.toggleAttribute("hidden", this.columns.length === 1);
    this.remember();
  }

  private remember(): void {
    if (!this.bare) localStorage.setItem(MODELS_KEY, JSON.stringify(this.columns.map((column) => column.select.value)));
  }

  private stop(): void {
    for (const column of this.columns) column.conversation.stop();
  }

  private clear(): void {
    for (const column of this.columns) column.conversation.clear();
    this.box.focus();
  }

  private fit(): void {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, 200)}px`;
  }

  private settings(): Settings {
    return { system: this.system.value.trim(), temperature: Number(this.temperature.value), maxTokens: Number(this.maxTokens.value) };
  }

  /** Every model is asked at once; the next question waits for the slowest answer. */
  private async ask(): Promise<void> {
    const content = this.box.value.trim();
    if (!content || this.columns.some((column) => column.conversation.busy)) return;
    this.box.value = "";
    this.fit();
    this.setBusy(true);
    const settings = this.settings();
    await Promise.all(this.columns.map((column) => column.conversation.ask(this.model(column.select.value), content, settings)));
    this.setBusy(false);
    this.box.focus();
  }

  private setBusy(busy: boolean): void {
    this.stopButton.hidden = !busy;
    this.send.hidden = busy;
    this.addButton.disabled = busy;
  }
}

customElements.define("chat-playground", ChatPlayground);
