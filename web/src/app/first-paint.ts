import { STORAGE_KEY } from "@/lib/preferences";

/** Runs before the first paint, so that a light page never flashes dark. Its hash is part of the content policy. */
export const FIRST_PAINT = `try{var p=JSON.parse(localStorage.getItem(${JSON.stringify(STORAGE_KEY)})||"{}"),d=document.documentElement.dataset;d.theme=p.theme==="light"?"light":"dark";d.direction=p.direction==="blue-orange"?"blue-orange":"teal-red"}catch(e){}`;
