"use client";
import { Button } from "@/components/ui/button";

/** A section broke; the shell, its figures and HALT go on. */
export default function SectionError({ reset }: { error: Error; reset: () => void }) {
  return (
    <div role="alert" className="panel flex flex-col items-start gap-3 p-4">
      <h1 className="text-title font-semibold">This section stopped working</h1>
      <p className="text-muted">The line above, its figures and HALT go on. What the section showed may be out of date.</p>
      <Button onClick={reset}>Show it again</Button>
    </div>
  );
}
