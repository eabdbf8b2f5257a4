"use client";
import Link from "next/link";
import { usePathname } from "next/navigation";
import { isHere, SECTIONS } from "../sections";
import { SectionIcon } from "./icons";

/** Sections at the left edge; on a phone the same ones as tabs at the bottom. */
export function Rail() {
  const pathname = usePathname();
  return (
    <nav aria-label="Sections" className="flex w-[76px] shrink-0 flex-col gap-0.5 border-r border-hairline bg-s1 px-1.5 py-2 max-sm:hidden">
      {SECTIONS.map((section) => {
        const here = isHere(section, pathname);
        return (
          <Link
            key={section.path}
            href={section.path}
            aria-current={here ? "page" : undefined}
            title={`${section.name} (g ${section.key})`}
            className={`relative flex flex-col items-center gap-0.5 rounded-control py-2 text-label ${here ? "bg-s3 text-text" : "text-muted hover:bg-s3 hover:text-text"}`}
          >
            {here && <span aria-hidden className="absolute inset-y-2 -left-1.5 w-0.5 rounded-full bg-accent" />}
            <SectionIcon icon={section.icon} />
            {section.name}
          </Link>
        );
      })}
    </nav>
  );
}

export function BottomTabs() {
  const pathname = usePathname();
  return (
    <nav aria-label="Sections" className="flex shrink-0 border-t border-hairline bg-s1 pb-[env(safe-area-inset-bottom)] sm:hidden">
      {SECTIONS.map((section) => {
        const here = isHere(section, pathname);
        return (
          <Link key={section.path} href={section.path} aria-current={here ? "page" : undefined} className={`relative flex h-14 flex-1 flex-col items-center justify-center gap-0.5 text-label ${here ? "text-text" : "text-muted"}`}>
            {here && <span aria-hidden className="absolute inset-x-5 top-0 h-0.5 rounded-full bg-accent" />}
            <SectionIcon icon={section.icon} />
            {section.short}
          </Link>
        );
      })}
    </nav>
  );
}
