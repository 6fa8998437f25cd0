/** One conversation with one model: bubbles, a streamed answer, and under it tokens, times and cost. */
import { type Message, saveButton } from "./cases";
import { csrf, el, icon, problemOf } from "./dom";
import { events } from "./sse";
import { duration, measure, money, t } from "./words";

interface Chunk {
  error?: { message?: string };
  choices?: { delta?: { content?: string }; finish_reason?: string | null }[];
  usage?: { prompt_tokens: number; completion_tokens: number; prompt_tokens_details?: { cached_tokens?: number } } | null;
}

/** What an hour of the instance that answers holds and costs. */
export interface Rate {
  core_hours: number;
  accelerator_hours: number;
  amount: number | null;
  currency: string | null;
}

/** Who is asked. rate: where it is known; ownSystem: the system message of the page is not for it. */
export interface Model {
  value: string;
  rate?: Rate;
  ownSystem?: boolean;
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
    /** Whose datasets take test cases; none where nobody may save one. */
    private readonly project = "",
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
  async ask(model: Model, content: string, settings: Settings): Promise<void> {
    this.messages.push({ role: "user", content });
    this.bubble("user", content);
    const bubble = this.bubble("assistant", "");
    bubble.append(el("span", { class: "loading loading-dots loading-sm", role: "status", "aria-label": t("The model is writing") }));
    this.list.setAttribute("aria-busy", "true");
    const abort = new AbortController();
    this.abort = abort;
    try {
      await this.stream(bubble, model, settings, abort.signal);
    } catch (error) {
      this.failed(bubble, error, abort.signal.aborted);
    } finally {
      this.abort = undefined;
      this.list.setAttribute("aria-busy", "false");
    }
  }

  /** What the model reads: earlier turns, and the system message unless it has its own. */
  private read(model: Model, { system }: Settings): Message[] {
    return system && !model.ownSystem ? [{ role: "system", content: system }, ...this.messages] : [...this.messages];
  }

  private body(model: Model, settings: Settings): string {
    const { temperature, maxTokens } = settings;
    return JSON.stringify({ model: model.value, messages: this.read(model, settings), temperature, max_tokens: maxTokens, stream: true, stream_options: { include_usage: true } });
  }

  private async stream(bubble: HTMLElement, model: Model, settings: Settings, signal: AbortSignal): Promise<void> {
    const body = this.body(model, settings);
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
    const line = this.sumUp(bubble, usage, pieces, firstAt - began, ended - began, model.rate); // an empty answer is billed, too
    if (text && this.project) line.append(saveButton(this.project, this.read(model, settings)));
    this.toEnd();
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

  private sumUp(bubble: HTMLElement, usage: Chunk["usage"], pieces: number, firstMs: number, wholeMs: number, rate?: Rate): HTMLElement {
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
      rate && costOf(rate, wholeMs / 1000),
    ];
    const line = el("p", { class: "-mt-1 flex flex-wrap items-center gap-x-2 px-1 text-xs text-base-content/70 tabular-nums", "data-usage": true }, facts.filter(Boolean).join(" · "));
    bubble.after(line);
    return line;
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

/** At most so much: all that the instance held while the answer took, though it may have given others meanwhile. */
function costOf(rate: Rate, seconds: number): string {
  if (rate.amount !== null) return t("at most {cost}", { cost: money((rate.amount * seconds) / 3600, rate.currency ?? "") });
  const held = [t("{count} core-seconds", { count: measure(rate.core_hours * seconds) })];
  if (rate.accelerator_hours) held.push(t("{count} accelerator-seconds", { count: measure(rate.accelerator_hours * seconds) }));
  return t("at most {cost}", { cost: held.join(" + ") });
}
