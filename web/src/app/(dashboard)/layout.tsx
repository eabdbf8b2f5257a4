import { type ReactNode, Suspense } from "react";
import { OrderToasts } from "@/features/orders/components/order-toasts";
import { Shell } from "@/features/shell/components/shell";

export default function DashboardLayout({ children }: { children: ReactNode }) {
  return (
    <Shell>
      <OrderToasts />
      <Suspense>{children}</Suspense>
    </Shell>
  );
}
