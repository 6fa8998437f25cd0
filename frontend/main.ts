/** What every page loads; islands with a library of their own come only where a page has one. */
import htmx from "htmx.org";
import { startFrame } from "./frame";
import "./styles.css";
import { loadWords } from "./words";

declare global {
  interface Window {
    htmx: typeof htmx;
  }
}
window.htmx = htmx;

/** Islands by the element that stands for them. */
const islands: Record<string, () => Promise<unknown>> = {
  "jobs-pill": () => import("./islands/jobs-pill"),
  "notification-bell": () => import("./islands/notification-bell"),
  "live-job": () => import("./islands/live-job"),
  "metric-chart": () => import("./islands/metric-chart"),
  "lineage-graph": () => import("./islands/lineage-graph"),
  "log-tail": () => import("./islands/log-tail"),
  "file-upload": () => import("./islands/file-upload"),
  "chat-playground": () => import("./islands/chat-playground"),
  "prompt-editor": () => import("./islands/prompt-editor"),
  "comment-thread": () => import("./islands/comment-thread"),
  "params-form": () => import("./islands/params-form"),
};

/** Loads the islands that stand under `root` and are not defined yet. */
function wake(root: ParentNode): void {
  for (const [name, load] of Object.entries(islands)) {
    if (!customElements.get(name) && root.querySelector(name)) void load();
  }
}

// No top-level await: islands share chunks with this module and would wait for it for ever.
void loadWords().then(() => {
  startFrame();
  wake(document);
  document.addEventListener("htmx:afterSwap", () => wake(document)); // what came may itself be an island
});
