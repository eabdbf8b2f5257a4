"use client";
import { Dialog } from "radix-ui";
import { useRouter } from "next/navigation";
import { useHotkeys } from "react-hotkeys-hook";
import { Button } from "@/components/ui/button";
import { toggleZone, usePreferences } from "@/lib/preferences";
import { SECTIONS } from "../sections";

const MAP: readonly [string, string][] = [
  ...SECTIONS.map((section): [string, string] => [`g ${section.key}`, section.name]),
  ["/", "Filter this list"],
  ["t", "Switch time zone"],
  ["[ ]", "Shorter or longer candles"],
  ["j k  ↓ ↑", "Move in a table"],
  ["Home End", "First or last row"],
  ["Enter", "Open the row"],
  ["Esc", "Close what is open"],
  ["⌘ . ⌘ .", "Halt trading (or Ctrl)"],
  ["?", "This map"],
];

/** Focuses what marks itself as the filter of the screen. */
function focusFilter() {
  document.querySelector<HTMLInputElement>("[data-filter]")?.focus();
}

/** The page's single keys. They are silent in inputs and can be switched off. */
export function useKeys(onMap: () => void): void {
  const router = useRouter();
  const enabled = usePreferences((preferences) => preferences.singleKeys);
  const options = { enabled, useKey: true };
  useHotkeys(SECTIONS.map((section) => `g>${section.key}`), (_event, handler) => {
    const key = handler.keys?.at(-1);
    const section = SECTIONS.find((each) => each.key === key);
    if (section) router.push(section.path);
  }, { enabled, sequenceTimeoutMs: 1_200, sequenceSplitKey: ">" }, [router]);
  useHotkeys("t", toggleZone, options);
  useHotkeys("?", onMap, options);
  useHotkeys("/", (event) => {
    event.preventDefault();
    focusFilter();
  }, options);
}

export function KeyMap({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <Dialog.Overlay className="fade-in fixed inset-0 z-50 bg-bg/70" />
        <Dialog.Content aria-describedby={undefined} className="fade-in fixed top-1/2 left-1/2 z-50 w-[min(360px,calc(100vw-24px))] -translate-x-1/2 -translate-y-1/2 rounded-dialog border border-hairline bg-s2 p-4 shadow-popover">
          <Dialog.Title className="text-title font-semibold">Keys</Dialog.Title>
          <dl className="my-3 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1">
            {MAP.map(([keys, meaning]) => (
              <div key={keys} className="contents">
                <dt>
                  <kbd className="mono text-muted">{keys}</kbd>
                </dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
          <div className="flex justify-end">
            <Dialog.Close asChild>
              <Button>Close</Button>
            </Dialog.Close>
          </div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
