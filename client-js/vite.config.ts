/**
 * Three builds, one per mode, all into ../server/pages:
 *   widget   widget.js: one classic script, nothing beside it, its name never changes (shops embed it)
 *   console  console/index.html and hashed assets
 *   demo     demo/index.html and hashed assets
 * The pages run under a strict CSP, so nothing is inlined into HTML.
 */
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { defineConfig, type Plugin, type UserConfig } from "vite";

const PAGES = fileURLToPath(new URL("../server/pages", import.meta.url));
const source = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url));

/** Gzipped bytes of widget.js: what a shopper on a slow network pays before anything shows. */
const WIDGET_BUDGET = 60 * 1024;

function budget(limit: number): Plugin {
  return {
    name: "budget",
    generateBundle(_options, bundle) {
      for (const file of Object.values(bundle)) {
        if (file.type !== "chunk") continue;
        const size = gzipSync(file.code).length;
        if (size > limit) this.error(`${file.fileName}: ${size} bytes gzipped exceed the budget of ${limit}`);
      }
    },
  };
}

const common: UserConfig = {
  publicDir: false,
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
};

const widget: UserConfig = {
  ...common,
  plugins: [budget(WIDGET_BUDGET)],
  define: { "process.env.NODE_ENV": '"production"' },
  build: {
    target: "es2022",
    outDir: PAGES,
    emptyOutDir: true,
    minify: true,
    lib: { entry: source("widget/main.ts"), formats: ["iife"], name: "Tradewind", fileName: () => "widget.js" },
  },
};

function page(name: string): UserConfig {
  return {
    ...common,
    root: source(name),
    base: `/${name}/`,
    build: {
      target: "es2022",
      outDir: `${PAGES}/${name}`,
      emptyOutDir: true,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
    },
  };
}

const MODES: Record<string, UserConfig> = { widget, console: page("console"), demo: page("demo") };

export default defineConfig(({ mode }) => {
  const config = MODES[mode];
  if (config === undefined) throw new Error(`unknown mode ${mode}: use one of ${Object.keys(MODES).join(", ")}`);
  return config;
});
