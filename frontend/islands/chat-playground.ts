/** `<chat-playground data-url data-models='["a"]' data-model>`: a conversation with a deployment, streamed word by word, with tokens
 *  and latency under each answer. `data-url` takes {model, messages, temperature, max_tokens, stream} and answers OpenAI's events. */
import { csrf, el, icon, problemOf } from "../dom";
import { events } from "../sse";
import { duration, measure, t } from "../words";

interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Chunk {
  id?: string;
  error?: { message?: string };
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } } | null;
}

const MODEL_KEY = "aifs-playground-model";

class ChatPlayground extends HTMLElement {
  private messages: Message[] = [];
  private abort?: AbortController;
  private readonly list = el("div", { class: "flex flex-1 flex-col gap-3 overflow-y-auto p-4 sm:p-6", role: "log", "aria-label": t("Conversation"), tabindex: 0 });
  private readonly box = el("textarea", { class: "textarea min-h-11 flex-1 resize-none leading-relaxed", rows: 1, placeholder: t("Write a message"), "aria-label": t("Message") });
  private readonly send = el("button", { type: "submit", class: "btn btn-primary btn-square", "aria-label": t("Send"), title: t("Send") }, icon("send"));
  private readonly stopButton = el("button", { type: "button", class: "btn btn-square", "aria-label": t("Stop"), title: t("Stop"), hidden: true }, icon("square"));
  private readonly model = el("select", { class: "select", "aria-label": t("Model") });
  private readonly system = el("textarea", { class: "textarea w-full", rows: 4, placeholder: t("How the model should behave (optional)") });
  private readonly temperature = el("input", { class: "input w-full", type: "number", min: 0, max: 2, step: 0.1, value: this.dataset.temperature ?? 0.7 });
  private readonly maxTokens = el("input", { class: "input w-full", type: "number", min: 1, max: 32768, step: 1, value: this.dataset.maxTokens ?? 256 });

  connectedCallback(): void {
    const models: string[] = JSON.parse(this.dataset.models ?? "[]");
    const wanted = this.dataset.model ?? localStorage.getItem(MODEL_KEY) ?? "";
    for (const name of models) this.model.append(el("option", { value: name, selected: name === wanted }, name));
    this.model.addEventListener("change", () => localStorage.setItem(MODEL_KEY, this.model.value));
    this.replaceChildren(this.layout());
    this.greet();
    this.box.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        this.box.form?.requestSubmit();
      }
    });
    this.box.addEventListener("input", () => this.fit());
    this.stopButton.addEventListener("click", () => this.abort?.abort());
  }

  disconnectedCallback(): void {
    this.abort?.abort();
  }

  private layout(): HTMLElement {
    const form = el("form", { class: "flex items-end gap-2 border-t border-base-300 p-3" }, this.box, this.stopButton, this.send);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.ask();
    });
    const clear = el("button", { type: "button", class: "btn btn-sm btn-ghost" }, icon("eraser"), t("Start again"));
    clear.addEventListener("click", () => this.clear());
    const chat = el("section", { class: "panel-flush flex h-[min(70dvh,46rem)] min-h-96 flex-col", "aria-label": t("Chat") }, this.list, form);
    if (this.dataset.bare !== undefined) return el("div", { class: "flex flex-col gap-2" }, chat, el("div", { class: "self-end" }, clear));
    const side = el(
      "section",
      { class: "panel flex flex-col gap-4 self-start", "aria-label": t("Settings") },
      this.setting(t("Model"), this.model),
      this.setting(t("System message"), this.system),
      this.setting(t("Temperature"), this.temperature, t("0 answers the same each time; higher varies more.")),
      this.setting(t("Longest answer (tokens)"), this.maxTokens),
      clear,
    );
    return el("div", { class: "grid gap-4 lg:grid-cols-[minmax(0,1fr)_18rem]" }, chat, side);
  }

  private setting(label: string, input: HTMLElement, help = ""): HTMLElement {
    return el("label", { class: "flex flex-col gap-1.5 text-sm font-medium" }, label, input, help && el("span", { class: "text-xs font-normal text-base-content/70" }, help));
  }

  private greet(): void {
    const hint = el("p", { class: "m-auto max-w-sm text-center text-sm text-base-content/70", "data-greeting": true }, t("Ask something. The answer appears as it is written."));
    this.list.replaceChildren(hint);
  }

  private clear(): void {
    this.abort?.abort();
    this.messages = [];
    this.greet();
    this.box.focus();
  }

  private fit(): void {
    this.box.style.height = "auto";
    this.box.style.height = `${Math.min(this.box.scrollHeight + 2, 200)}px`;
  }

  private bubble(role: Message["role"], content: string): HTMLElement {
    this.list.querySelector("[data-greeting]")?.remove();
    const bubble = el("div", { class: "bubble", "data-role": role }, content);
    this.list.append(bubble);
    this.toEnd();
    return bubble;
  }

  private toEnd(): void {
    this.list.scrollTop = this.list.scrollHeight;
  }

  private setBusy(busy: boolean): void {
    this.stopButton.hidden = !busy;
    this.send.hidden = busy;
    this.list.setAttribute("aria-busy", String(busy));
  }

  private async ask(): Promise<void> {
    const content = this.box.value.trim();
    if (!content || this.abort) return;
    this.messages.push({ role: "user", content });
    this.bubble("user", content);
    this.box.value = "";
    this.fit();
    const bubble = this.bubble("assistant", "");
    bubble.append(el("span", { class: "loading loading-dots loading-sm", role: "status", "aria-label": t("The model is writing") }));
    this.setBusy(true);
    const abort = new AbortController();
    this.abort = abort;
    try {
      await this.stream(bubble, abort.signal);
    } catch (error) {
      this.failed(bubble, error, abort.signal.aborted);
    } finally {
      this.abort = undefined;
      this.setBusy(false);
      this.box.focus();
    }
  }

  private body(): string {
    const system = this.system.value.trim();
    const messages = system ? [{ role: "system", content: system }, ...this.messages] : this.messages;
    return JSON.stringify({
      model: this.model.value || this.dataset.model,
      messages,
      temperature: Number(this.temperature.value),
      max_tokens: Number(this.maxTokens.value),
      stream: true,
      stream_options: { include_usage: true },
    });
  }

  private async stream(bubble: HTMLElement, signal: AbortSignal): Promise<void> {
    const began = performance.now();
    const headers = { "Content-Type": "application/json", Accept: "text/event-stream, application/json", "X-CSRFToken": csrf() };
    const response = await fetch(this.dataset.url ?? "", { method: "POST", credentials: "same-origin", headers, body: this.body(), signal });
    if (!response.ok) throw await problemOf(response);
    let text = "";
    let firstAt = 0;
    let pieces = 0;
    let usage: Chunk["usage"];
    for await (const data of events(response)) {
      const chunk = JSON.parse(data) as Chunk;
      if (chunk.error) throw new Error(chunk.error.message ?? t("The model gave no answer."));
      usage = chunk.usage ?? usage;
      const piece = chunk.choices?.[0]?.delta?.content ?? "";
      if (!piece) continue;
      firstAt ||= performance.now();
      pieces += 1;
      text += piece;
      this.grow(bubble, text);
    }
    if (text) this.messages.push({ role: "assistant", content: text });
    firstAt ||= performance.now();
    this.sumUp(bubble, usage, pieces, firstAt - began, performance.now() - firstAt); // an empty answer is billed, too
    if (!text) throw new Error(t("The model gave no answer."));
  }

  private grow(bubble: HTMLElement, text: string): void {
    const atEnd = this.list.scrollTop + this.list.clientHeight >= this.list.scrollHeight - 40;
    bubble.textContent = text;
    if (atEnd) this.toEnd();
  }

  private sumUp(bubble: HTMLElement, usage: Chunk["usage"], pieces: number, firstMs: number, restMs: number): void {
    const tokens = usage?.completion_tokens ?? pieces;
    const cached = usage?.prompt_tokens_details?.cached_tokens;
    const facts = [
      usage && t("{count} tokens in", { count: usage.prompt_tokens }),
      cached ? t("{count} from cache", { count: cached }) : "",
      t("{count} tokens out", { count: tokens }),
      t("first after {time}", { time: firstMs < 1000 ? `${Math.round(firstMs)} ms` : duration(firstMs / 1000) }),
      tokens > 1 && restMs > 0 ? t("{rate} tokens/s", { rate: measure(((tokens - 1) * 1000) / restMs) }) : "",
    ];
    bubble.after(el("p", { class: "-mt-1 px-1 text-xs text-base-content/70 tabular-nums", "data-usage": true }, facts.filter(Boolean).join(" · ")));
    this.toEnd();
  }

  private failed(bubble: HTMLElement, error: unknown, stopped: boolean): void {
    const text = bubble.querySelector(".loading") ? "" : (bubble.textContent ?? "");
    if (text) this.messages.push({ role: "assistant", content: text });
    else {
      bubble.remove();
      this.messages.pop();
    }
    const said = stopped ? t("Stopped.") : error instanceof Error ? error.message : String(error);
    const note = el("p", { class: "flex items-start gap-1.5 px-1 text-sm", role: stopped ? "status" : "alert" }, icon(stopped ? "circle-stop" : "circle-alert", "mt-0.5 size-4"), el("span", {}, said));
    if (!stopped) note.classList.add("text-error");
    this.list.append(note);
    this.toEnd();
  }
}

customElements.define("chat-playground", ChatPlayground);
