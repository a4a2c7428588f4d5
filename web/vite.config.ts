import { defineConfig } from "vite";
import solid from "vite-plugin-solid";

// The page is served below /console/ under a strict Content-Security-Policy: nothing inline, nothing from
// elsewhere. Assets stay files of their own, because a data: URL would need an exception.
export default defineConfig({
  base: "/console/",
  plugins: [solid()],
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false }, target: "es2022" },
});
