/** Pages of single things that were open lately, per project, for the palette. Kept in this browser; gone on sign-out. */

export interface Visit {
  label: string;
  url: string;
  kind: string;
}

const PREFIX = "aifs-recent-";
const KEPT = 8;
const project = (): string => document.querySelector<HTMLMetaElement>('meta[name="aifs-project"]')?.content ?? "";

export function recent(): Visit[] {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + project()) ?? "[]") as Visit[];
  } catch {
    return [];
  }
}

/** Remembers this page, if it is one thing's page: its address holds an id, or its crumbs go deeper than an area. */
export function startRecent(): void {
  document.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (form.action.includes("/logout/")) for (const key of Object.keys(localStorage)) if (key.startsWith(PREFIX)) localStorage.removeItem(key);
  });
  const crumbs = [...document.querySelectorAll(".crumbs li")].map((crumb) => crumb.textContent?.trim() ?? "");
  const label = document.querySelector("h1")?.textContent?.trim() ?? "";
  const known = [...document.querySelectorAll<HTMLAnchorElement>("#rail a, .tabs-line a:not(:first-child)")].some((link) => link.pathname === location.pathname && !link.search);
  if (!project() || known || crumbs.length < 3 || !label) return;
  const visit = { label, url: location.pathname, kind: crumbs.at(-2) ?? "" };
  const visits = [visit, ...recent().filter((other) => other.url !== visit.url)].slice(0, KEPT);
  localStorage.setItem(PREFIX + project(), JSON.stringify(visits));
}
