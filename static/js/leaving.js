/** Asks before signing out while marks wait on this phone; the registers kept here go with the sign-in. */

import { deliverAll } from "attendance/delivery";
import { Store } from "attendance/store";

export function start(form) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const store = new Store();
    await deliverAll(store).catch(() => {});
    const unsent = (await store.items()).filter((one) => !one.refused).length;
    if (unsent && !window.confirm(form.dataset.unsent.replace("%", unsent))) return;
    await store.forgetPages().catch(() => {});
    form.submit();
  });
}
