/** One conversation with one model: bubbles, a streamed answer, and under it tokens and times. */
import { csrf, el, icon, problemOf, toast } from "./dom";
import { events } from "./sse";
import { duration, measure, t } from "./words";

export interface Message {
  role: "system" | "user" | "assistant";
  content: string;
}

interface Chunk {
  error?: { message?: string };
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } } | null;
}

/** What is the same for every model that is asked: system message, temperature, length. */
export interface Settings {
  system: string;
  temperature: number;
  maxTokens: number;
}

export class Conversation {
  readonly list: HTMLElement;
  private messages: Message[] = [];
  private abort?: AbortController;

  constructor(
    private readonly url: string,
    label: string,
    private readonly savable: boolean,
  ) {
    this.list = el("div", { class: "flex min-h-0 flex-1 flex-col gap-3 overflow-y-auto p-4", role: "log", "aria-label": label, tabindex: 0 });
    this.greet();
  }

  get busy(): boolean {
    return !!this.abort;
  }

  stop(): void {
    this.abort?.abort();
  }

  clear(): void {
    this.stop();
    this.messages = [];
    this.greet();
  }

  private greet(): void {
    const hint = el("p", { class: "m-auto max-w-sm text-center text-sm text-base-content/70", "data-greeting": true }, t("Ask something. The answer appears as it is written."));
    this.list.replaceChildren(hint);
  }

  /** Asks, and returns when the answer is there, has failed or was stopped. */
  async ask(model: string, content: string, settings: Settings): Promise<void> {
    this.messages.push({ role: "user", content });
    this.bubble("user", content);
    const bubble = this.bubble("assistant", "");
    bubble.append(el("span", { class: "loading loading-dots loading-sm", role: "status", "aria-label": t("The model is writing") }));
    this.list.setAttribute("aria-busy", "true");
    const abort = new AbortController();
    this.abort = abort;
    try {
      await this.stream(bubble, this.body(model, settings), abort.signal);
    } catch (error) {
      this.failed(bubble, error, abort.signal.aborted);
    } finally {
      this.abort = undefined;
      this.list.setAttribute("aria-busy", "false");
    }
  }

  private body(model: string, settings: Settings): string {
    const messages = settings.system ? [{ role: "system", content: settings.system }, ...this.messages] : this.messages;
    const { temperature, maxTokens } = settings;
    return JSON.stringify({ model, messages, temperature, max_tokens: maxTokens, stream: true, stream_options: { include_usage: true } });
  }

  private async stream(bubble: HTMLElement, body: string, signal: AbortSignal): Promise<void> {
    const began = performance.now();
    const headers = { "Content-Type": "application/json", Accept: "text/event-stream, application/json", "X-CSRFToken": csrf() };
    const response = await fetch(this.url, { method: "POST", credentials: "same-origin", headers, body, signal });
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
    const ended = performance.now();
    firstAt ||= ended;
    this.sumUp(bubble, usage, pieces, firstAt - began, ended - began, text); // an empty answer is billed, too
    if (!text) throw new Error(t("The model gave no answer."));
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

  private grow(bubble: HTMLElement, text: string): void {
    const atEnd = this.list.scrollTop + this.list.clientHeight >= this.list.scrollHeight - 40;
    bubble.textContent = text;
    if (atEnd) this.toEnd();
  }

  private sumUp(bubble: HTMLElement, usage: Chunk["usage"], pieces: number, firstMs: number, wholeMs: number, text: string): void {
    const tokens = usage?.completion_tokens ?? pieces;
    const cached = usage?.prompt_tokens_details?.cached_tokens;
    const restMs = wholeMs - firstMs;
    const facts = [
      usage && t("{count} tokens in", { count: usage.prompt_tokens }),
      cached ? t("{count} from cache", { count: cached }) : "",
      t("{count} tokens out", { count: tokens }),
      t("first after {time}", { time: milliseconds(firstMs) }),
      t("all in {time}", { time: milliseconds(wholeMs) }),
      tokens > 1 && restMs > 0 ? t("{rate} tokens/s", { rate: measure(((tokens - 1) * 1000) / restMs) }) : "",
    ];
    const line = el("p", { class: "-mt-1 flex flex-wrap items-center gap-x-2 px-1 text-xs text-base-content/70 tabular-nums", "data-usage": true }, facts.filter(Boolean).join(" · "));
    if (this.savable && text) line.append(this.copyRow(text));
    bubble.after(line);
    this.toEnd();
  }

  /** The exchange as a line of an instruction dataset, to be kept as a test case. */
  private copyRow(text: string): HTMLElement {
    const question = this.messages.findLast((message) => message.role === "user")?.content ?? "";
    const row = JSON.stringify({ instruction: question, output: text });
    const button = el("button", { type: "button", class: "link-quiet inline-flex items-center gap-1", "data-row": true }, icon("copy", "size-3.5"), t("Copy as a row"));
    button.addEventListener("click", () => {
      void navigator.clipboard.writeText(row).then(() => toast(t("Copied as a line of JSON; put it into a file and import it.")));
    });
    return button;
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

const milliseconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : duration(ms / 1000));
