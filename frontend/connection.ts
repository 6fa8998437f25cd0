/** Whether the page still hears from the server. Whoever asks by itself reports here; the frame says it once, in `#connection`.
 *
 *  Everything over HTTP is one source, each socket another: what is shown is fresh only when all of them get through.
 *  Once HTTP does again, `aifs:reached` is told to the page, so that sockets need not wait for their turn. */
import { t } from "./words";

export type Link = "open" | "lost" | "polling";

const HTTP = "http";
/** Answers of a proxy in front of a server that is away. */
const AWAY = [502, 503, 504];
const ALIVE = "/health/ready";
const PATIENCE_MS = 5_000;
/** A server that starts anew, or a page that is being left, is no news. */
const SAY_AFTER_MS = 800;
const SAY_BACK_MS = 4_000;

const troubles = new Map<string, Link>();
let reachedAt = -1;
let said: Link = "open";
let saying = 0;
let hiding = 0;

/** What became of a channel. One that is closed on purpose is open: nothing is missed. */
export function report(source: string, link: Link): void {
  const before = troubles.get(source);
  if (link === "open") troubles.delete(source);
  else troubles.set(source, link);
  if (source === HTTP && before && link === "open") document.dispatchEvent(new CustomEvent("aifs:reached"));
  const now = current();
  if (now === "open") say(now);
  else if (now !== said) saying ||= window.setTimeout(sayLater, SAY_AFTER_MS);
}

/** A question was answered, with whatever status, or did not get through (0). One that fails alone says nothing about
 *  the server, so that is asked itself. */
export async function reportStatus(status: number): Promise<void> {
  const began = performance.now();
  if (isThere(status) || isThere(await askAlive())) reachedAt = performance.now();
  report(HTTP, reachedAt >= began ? "open" : "lost"); // another question may have got through meanwhile
}

const askAlive = (): Promise<number> => fetch(ALIVE, { signal: AbortSignal.timeout(PATIENCE_MS) }).then((answer) => answer.status, () => 0);
const isThere = (status: number): boolean => status > 0 && !AWAY.includes(status);

function current(): Link {
  const all = [...troubles.values()];
  return all.includes("lost") ? "lost" : (all[0] ?? "open");
}

function sayLater(): void {
  saying = 0;
  say(current());
}

function say(link: Link): void {
  const note = document.querySelector<HTMLElement>("#connection > p");
  if (!note || link === said) return;
  said = link;
  clearTimeout(hiding);
  note.dataset.link = link;
  note.lastElementChild!.textContent = {
    open: t("The connection is back."),
    lost: t("The connection is lost, and what you see may be old. Trying again…"),
    polling: t("Live updates cannot get through; this page asks every few seconds instead."),
  }[link];
  note.hidden = false;
  if (link === "open") hiding = window.setTimeout(() => (note.hidden = true), SAY_BACK_MS);
}

export function startConnection(): void {
  document.addEventListener("htmx:sendError", () => void reportStatus(0));
  document.addEventListener("htmx:timeout", () => void reportStatus(0));
  document.addEventListener("htmx:beforeOnLoad", (event) => {
    const { xhr, requestConfig } = (event as CustomEvent<{ xhr: XMLHttpRequest; requestConfig: { verb: string } }>).detail;
    if (requestConfig.verb === "get") void reportStatus(xhr.status); // what is sent may be refused for reasons of its own
  });
}
