import { flag } from "../../cli/define.ts";
import { pivCommand } from "../../cli/piv.ts";

export default pivCommand({
  name: "set-pin",
  summary: "Change the PIN of a PIV token",
  flags: { newPin: flag.string("new PIN", { secret: true }), oldPin: flag.string("present PIN", { secret: true }) },
  instead: "ykman piv access change-pin",
  bindEnvironment: true,
});
