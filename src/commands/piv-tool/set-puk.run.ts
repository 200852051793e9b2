import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("set-puk", "ykman piv access change-puk");
