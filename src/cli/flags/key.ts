import { flag } from "../define.ts";

/** What the hardware flags wait for. */
const HARDWARE = "PIV hardware keys";

/** The key to sign or verify with. */
export const keyFlags = {
  key: flag.string("file, env://NAME or URL of the key"),
  sk: flag.bool("use a key on a hardware security token", { unavailable: HARDWARE }),
  slot: flag.string("slot of the hardware security token", { unavailable: HARDWARE }),
};
