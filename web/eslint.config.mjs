import { readdirSync } from "node:fs";
import { defineConfig, globalIgnores } from "eslint/config";
import next from "eslint-config-next/core-web-vitals";
import typescript from "eslint-config-next/typescript";

const features = readdirSync(new URL("./src/features", import.meta.url));

/** Features never import each other, and nothing below the features imports them: only routes in `app/` put features together. */
const zones = [
  ...features.map((name) => ({
    target: `./src/features/${name}`,
    from: "./src/features",
    except: [`./${name}`],
    message: "features never import each other: compose them in app/",
  })),
  { target: "./src/lib", from: ["./src/features", "./src/components", "./src/app", "./src/stream"] },
  { target: "./src/stream", from: ["./src/features", "./src/components", "./src/app"] },
  { target: "./src/components", from: ["./src/features", "./src/app"] },
];

export default defineConfig([
  ...next,
  ...typescript,
  {
    settings: { "import/resolver": { typescript: { project: "./tsconfig.json" } } },
    rules: {
      "import/no-restricted-paths": ["error", { basePath: import.meta.dirname, zones }],
      "no-console": "error",
      eqeqeq: ["error", "always", { null: "ignore" }],
      "@typescript-eslint/no-explicit-any": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
    },
  },
  { files: ["scripts/**", "e2e/**"], rules: { "no-console": "off" } },
  globalIgnores([".next/**", "out/**", "next-env.d.ts", "src/lib/api/schema.d.ts"]),
]);
