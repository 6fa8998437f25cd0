/** Keys that work on every page, and the list of them (`?`). None is taken while somebody types. */
import { el } from "./dom";

/** Letter after `g` → area of the rail. */
const JUMPS: Record<string, string> = {
  h: "home",
  d: "data",
  l: "labeling",
  b: "lmb",
  t: "lmt",
  m: "lms",
  p: "prompts",
  a: "aps",
  c: "gpucloud",
  j: "jobs",
  i: "lineage",
  s: "settings",
};
const PATIENCE_MS = 1500;
let jumping = 0;

const typing = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName));

const areaLink = (area: string): HTMLAnchorElement | null => document.querySelector(`#rail a[data-area="${area}"]`);

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.querySelector("dialog[open]")) return;
  if (stepThroughRows(event) || typing(event.target)) return;
  const jump = jumping && Date.now() - jumping < PATIENCE_MS ? JUMPS[event.key.toLowerCase()] : undefined;
  jumping = 0;
  const link = jump ? areaLink(jump) : null;
  if (link) {
    event.preventDefault();
    link.click();
  } else if (event.key === "g") jumping = Date.now();
  else if (event.key === "?") openShortcuts();
  else if (event.key === "/") {
    const box = document.querySelector<HTMLInputElement>("main input[type=search]");
    if (!box) return;
    event.preventDefault();
    box.focus();
    box.select();
  }
}

/** Up and Down go from row to row of a table whose rows open, once a row has the focus; Home and End to its ends. */
function stepThroughRows(event: KeyboardEvent): boolean {
  const row = (event.target as Element).closest?.("tr[data-href]");
  if (!row || !["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) || typing(event.target)) return false;
  const rows = [...row.parentElement!.querySelectorAll<HTMLElement>("tr[data-href]")];
  const at = rows.indexOf(row as HTMLElement);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key]!;
  const link = rows[next]?.querySelector<HTMLElement>("a[href]");
  if (!link) return false;
  event.preventDefault();
  link.focus();
  return true;
}

/** The dialog is made from the rail, so that it lists what is there. */
export function openShortcuts(): void {
  const dialog = document.querySelector<HTMLDialogElement>("dialog#shortcuts");
  if (!dialog || dialog.open) return;
  const jumps = Object.entries(JUMPS).flatMap(([letter, area]) => {
    const link = areaLink(area);
    return link ? [line(link.textContent?.trim() ?? "", "g", letter)] : [];
  });
  dialog.querySelector("[data-jumps]")?.replaceChildren(...jumps);
  dialog.showModal();
}

function line(label: string, ...keys: string[]): HTMLElement {
  return el("div", { class: "shortcut" }, el("dt", {}, label), el("dd", {}, ...keys.map((key) => el("kbd", { class: "kbd kbd-sm" }, key))));
}

export function startKeyboard(): void {
  document.addEventListener("keydown", onKey);
  const dialog = document.querySelector<HTMLDialogElement>("dialog#shortcuts");
  dialog?.addEventListener("click", (event) => {
    if (event.target === dialog || (event.target as Element).closest("[data-close]")) dialog.close();
  });
}
