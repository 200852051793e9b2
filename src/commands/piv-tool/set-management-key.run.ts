import { withoutCard } from "../../cli/options/piv.ts";

export const run = withoutCard("set-management-key", "ykman piv access change-management-key");
