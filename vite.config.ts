import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import { defineConfig, type Plugin } from "vite";

const root = import.meta.dirname;

/** Puts the icons named in `frontend/icons.json` into one picture; `templates/ui/icon.html` finds it in the manifest. */
function sprite(): Plugin {
  const list = resolve(root, "frontend/icons.json");
  return {
    name: "aifs-sprite",
    buildStart() {
      this.addWatchFile(list);
    },
    generateBundle() {
      const names: string[] = JSON.parse(readFileSync(list, "utf8"));
      const symbols = names.map((name) => {
        const source = readFileSync(resolve(root, `node_modules/lucide-static/icons/${name}.svg`), "utf8");
        const body = source.slice(source.indexOf(">", source.indexOf("<svg")) + 1, source.lastIndexOf("</svg>"));
        return `<symbol id="${name}" viewBox="0 0 24 24">${body.replace(/\s+/g, " ").trim()}</symbol>`;
      });
      const svg = `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`;
      this.emitFile({ type: "asset", name: "icons.svg", originalFileName: "frontend/icons.json", source: svg });
    },
  };
}

export default defineConfig({
  base: "/static/",
  publicDir: resolve(root, "frontend/public"),
  plugins: [tailwindcss(), sprite()],
  build: {
    outDir: resolve(root, "static/dist"),
    emptyOutDir: false, // a running server still names the files of the build it started with; `make clean` removes them
    manifest: "manifest.json",
    target: "es2022",
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: resolve(root, "frontend/main.ts"),
      checks: { eval: false }, // htmx holds one, switched off in templates/base.html and by the content security policy
    },
  },
});
