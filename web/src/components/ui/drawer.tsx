"use client";
/** Details beside the page: a drawer from the right, a sheet from below on a phone. Esc closes it. The strip with HALT stays free. */
import { Dialog } from "radix-ui";
import type { ReactNode } from "react";
import { Button } from "./button";
import { Shape } from "./shape";

interface DrawerProps {
  open: boolean;
  onClose: () => void;
  title: ReactNode;
  children: ReactNode;
}

export function Drawer({ open, onClose, title, children }: DrawerProps) {
  return (
    <Dialog.Root modal={false} open={open} onOpenChange={(next) => !next && onClose()}>
      <Dialog.Portal>
        <div aria-hidden className="fade-in fixed inset-x-0 top-[92px] bottom-0 z-30 bg-bg/60 min-[1280px]:top-11" />
        <Dialog.Content
          aria-describedby={undefined}
          className="drawer-in max-sm:sheet-in fixed z-40 flex flex-col border-hairline bg-s2 shadow-popover max-sm:inset-x-0 max-sm:bottom-0 max-sm:max-h-[calc(100dvh-100px)] max-sm:rounded-t-dialog max-sm:border-t sm:top-[92px] min-[1280px]:top-11 sm:right-0 sm:bottom-0 sm:w-[440px] sm:border-l"
        >
          <header className="flex min-h-11 shrink-0 items-center gap-2 border-b border-hairline px-4">
            <Dialog.Title className="min-w-0 truncate text-title font-semibold">{title}</Dialog.Title>
            <Dialog.Close asChild>
              <Button look="quiet" size="small" className="ml-auto max-sm:min-w-11" aria-label="Close">
                <Shape name="close" />
              </Button>
            </Dialog.Close>
          </header>
          <div className="min-h-0 flex-1 overflow-y-auto p-4">{children}</div>
        </Dialog.Content>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
