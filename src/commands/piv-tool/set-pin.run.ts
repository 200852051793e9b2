import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("set-pin", "ykman piv access change-pin");
