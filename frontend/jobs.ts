/** One live channel a job and page: a snapshot, then events, over a WebSocket; by asking again when there is none. */
import { report } from "./connection";
import { pollJson } from "./dom";

export interface Progress {
  done?: number;
  total?: number;
  unit?: string;
  message?: string;
  eta_s?: number | null;
}

export interface Job {
  id: string;
  state: string;
  state_label?: string;
  reason_text?: string;
  progress?: Progress;
  metrics?: Record<string, number>;
  started_at?: string | null;
  ended_at?: string | null;
  [key: string]: unknown;
}

export interface JobEvent {
  seq: number;
  type: string;
  t?: number;
  [key: string]: unknown;
}

interface Watcher {
  onJob?(job: Job): void;
  onEvents?(events: JobEvent[]): void;
}

interface Message {
  type: string;
  job?: Job;
  seq?: number;
  event?: JobEvent;
  events?: JobEvent[];
}

/** Closed for good: nobody signed in, not allowed, no such job. */
const REFUSED = [4401, 4403, 4404];
const ENDED = new Set(["succeeded", "failed", "cancelled"]);
export const hasEnded = (state: string): boolean => ENDED.has(state);

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
const POLL_MS = 3_000;

class Channel {
  private readonly watchers = new Set<Watcher>();
  private socket?: WebSocket;
  private retryMs = FIRST_RETRY_MS;
  private timer = 0;
  private opened = false;
  private polling = false;
  private seq = 0;
  private job?: Job;
  private readonly onReached = (): void => {
    if (this.timer) this.connect();
  };

  constructor(private readonly id: string) {}

  add(watcher: Watcher): () => void {
    this.watchers.add(watcher);
    if (this.job) watcher.onJob?.(this.job);
    if (this.watchers.size === 1) {
      document.addEventListener("aifs:reached", this.onReached);
      this.connect();
    }
    return () => {
      this.watchers.delete(watcher);
      if (!this.watchers.size) this.close();
    };
  }

  private connect(): void {
    this.wait(0);
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws/jobs/${this.id}/?after=${this.seq}`);
    this.socket = socket;
    socket.onopen = () => {
      this.opened = true;
      this.retryMs = FIRST_RETRY_MS;
      report(this.id, "open");
    };
    socket.onmessage = (event) => this.read(JSON.parse(event.data) as Message);
    socket.onclose = (event) => {
      if (this.socket !== socket || !this.watchers.size) return;
      const over = REFUSED.includes(event.code) || (this.job && hasEnded(this.job.state));
      report(this.id, over ? "open" : this.opened ? "lost" : "polling");
      if (over) return;
      if (!this.opened) void this.poll();
      this.wait(this.retryMs * (0.7 + Math.random() * 0.6));
      this.retryMs = Math.min(this.retryMs * 2, LONGEST_RETRY_MS);
    };
  }

  /** Where WebSockets cannot pass, the job itself is still asked for. */
  private async poll(): Promise<void> {
    if (this.polling) return;
    this.polling = true;
    while (!this.opened && this.watchers.size) {
      try {
        const job = await pollJson<Job>(`/api/v1/jobs/${this.id}/`);
        this.read({ type: "snapshot", job });
        if (hasEnded(job.state)) break;
      } catch {
        // The server is away; the next turn asks again.
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
    this.polling = false;
  }

  private read(message: Message): void {
    if (message.job) {
      this.job = message.job;
      this.tell((watcher) => watcher.onJob?.(message.job!));
    }
    const events = message.events ?? (message.event ? [message.event] : []);
    const fresh = events.filter((event) => event.seq > this.seq);
    if (fresh.length) this.tell((watcher) => watcher.onEvents?.(fresh));
    this.seq = Math.max(this.seq, message.seq ?? 0, ...fresh.map((event) => event.seq));
  }

  private tell(say: (watcher: Watcher) => void): void {
    for (const watcher of this.watchers) say(watcher);
  }

  private wait(ms: number): void {
    clearTimeout(this.timer);
    this.timer = ms && window.setTimeout(() => this.connect(), ms);
  }

  private close(): void {
    this.wait(0);
    document.removeEventListener("aifs:reached", this.onReached);
    report(this.id, "open");
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }
}

const channels = new Map<string, Channel>();

/** Watches a job; the answer ends the watching. */
export function watchJob(id: string, watcher: Watcher): () => void {
  let channel = channels.get(id);
  if (!channel) {
    channel = new Channel(id);
    channels.set(id, channel);
  }
  return channel.add(watcher);
}
