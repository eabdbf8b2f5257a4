"use client";
import { RiskPanel } from "@/features/account/components/day-panel";
import { Approvals } from "@/features/risk/components/approvals";
import { Halts } from "@/features/risk/components/halts";
import { LimitsPanel } from "@/features/risk/components/limits-panel";
import { PortfolioPanel } from "@/features/risk/components/portfolio-panel";

export default function RiskPage() {
  return (
    <div className="grid grid-cols-1 items-start gap-2 xl:grid-cols-[minmax(0,1fr)_360px]">
      <h1 className="sr-only">Risk: approvals, kill switch, limits and portfolio</h1>
      <div className="flex min-w-0 flex-col gap-2">
        <Approvals />
        <Halts />
        <LimitsPanel />
      </div>
      <div className="flex min-w-0 flex-col gap-2">
        <RiskPanel />
        <PortfolioPanel />
      </div>
    </div>
  );
}
