import type { NextConfig } from "next";

/** A static export: the gateway serves `out/` itself, so running the page needs no Node. */
const config: NextConfig = {
  output: "export",
  trailingSlash: true,
  reactStrictMode: true,
  poweredByHeader: false,
  images: { unoptimized: true },
  experimental: { optimizePackageImports: ["radix-ui"] },
  turbopack: { root: import.meta.dirname },
};

export default config;
