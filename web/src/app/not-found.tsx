import Link from "next/link";

export default function NotFound() {
  return (
    <main className="flex h-dvh flex-col items-center justify-center gap-3">
      <h1 className="text-page font-semibold">There is no such page</h1>
      <Link href="/" className="text-accent underline underline-offset-2">
        Go to the dashboard
      </Link>
    </main>
  );
}
