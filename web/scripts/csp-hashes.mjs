/**
 * Writes `out/csp-hashes.json`: the SHA-256 of every inline script of the export, for the gateway's content policy.
 * Invariant: a script that is not in this file does not run, because the policy has no 'unsafe-inline'.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

const out = new URL("../out/", import.meta.url).pathname;
const INLINE = /<script\b(?![^>]*\bsrc=)[^>]*>([\s\S]*?)<\/script>/g;

const pages = {};
for (const entry of readdirSync(out, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !entry.name.endsWith(".html")) continue;
  const file = join(entry.parentPath, entry.name);
  const hashes = [...readFileSync(file, "utf8").matchAll(INLINE)].map(([, script]) => `'sha256-${createHash("sha256").update(script, "utf8").digest("base64")}'`);
  pages[relative(out, file)] = [...new Set(hashes)].sort();
}
const all = [...new Set(Object.values(pages).flat())].sort();
writeFileSync(join(out, "csp-hashes.json"), `${JSON.stringify({ script_src: all, pages }, null, 2)}\n`);
console.log(`csp-hashes.json: ${all.length} inline scripts in ${Object.keys(pages).length} pages`);
