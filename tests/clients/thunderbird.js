// What the tests ask of Thunderbird, run with its own rights before each question.
/* eslint-env mozilla/chrome */
const { cal } = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const { MailServices } = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");

const pause = (milliseconds) =>
  new Promise((resolve) => {
    const timer = Cc["@mozilla.org/timer;1"].createInstance(Ci.nsITimer);
    timer.initWithCallback({ notify: () => resolve(timer) }, milliseconds, 0);
  });

async function until(holds, what) {
  for (let turn = 0; turn < 300; turn++) {
    const found = await holds();
    if (found) {
      return found;
    }
    await pause(100);
  }
  throw new Error(`waited for: ${what}`);
}

const mainWindow = () => Services.wm.getMostRecentWindow("mail:3pane");

const isReady = () => mainWindow()?.document.readyState === "complete";

function told(item) {
  return {
    uid: item.id,
    starts: item.startDate.nativeTime / 1e6,
    ends: item.endDate.nativeTime / 1e6,
    title: item.title,
    sequence: parseInt(item.getProperty("SEQUENCE") ?? "0", 10),
    cancelled: item.getProperty("STATUS") === "CANCELLED",
  };
}

function subscribe(url) {
  const made = cal.manager.createCalendar("ics", Services.io.newURI(url));
  made.name = "feed";
  made.setProperty("cache.enabled", true);
  cal.manager.registerCalendar(made);
  return made.id;
}

// It asks before it takes an event in again that its owner has deleted: the owner says yes.
function agree() {
  const shared = Cu.getGlobalForObject(cal).Services;
  const { prompt } = shared;
  shared.prompt = { confirm: () => true, alert: (...said) => prompt.alert(...said) };
}

function home() {
  agree();
  const made = cal.manager.createCalendar("storage", Services.io.newURI("moz-storage-calendar://"));
  made.name = "home";
  cal.manager.registerCalendar(made);
  made.setProperty("imip.identity.key", "id1");
  return made.id;
}

const calendarOf = (id) => cal.manager.getCalendarById(id);

function refresh(id) {
  calendarOf(id).refresh();
}

async function kept(id) {
  const filter = Ci.calICalendar.ITEM_FILTER_ALL_ITEMS;
  const items = await calendarOf(id).getItemsAsArray(filter, 0, null, null);
  return items.map(told);
}

const isDisabled = (id) => Boolean(calendarOf(id).getProperty("disabled"));

function read(text) {
  const parser = Cc["@mozilla.org/calendar/ics-parser;1"].createInstance(Ci.calIIcsParser);
  parser.parseString(text);
  return parser.getItems().map(told);
}

const inbox = () =>
  MailServices.accounts
    .getAccount("account1")
    .incomingServer.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox);

async function mails() {
  const server = MailServices.accounts.getAccount("account1").incomingServer;
  server.password = Services.prefs.getStringPref("tests.password");
  if (!inbox()) {
    // Its folders are found in the background, and for a moment found again.
    server.performExpand(null);
    await until(inbox, "an inbox");
    await pause(3000);
  }
  const folder = await until(inbox, "an inbox");
  await new Promise((resolve) => {
    folder.getNewMessages(null, { OnStartRunningUrl() {}, OnStopRunningUrl: resolve });
  });
  return [...folder.messages].length;
}

const messageWindow = () => mainWindow().document.getElementById("tabmail").currentAboutMessage;

async function openMail(number) {
  const keys = (one, other) => one.messageKey - other.messageKey;
  const header = await until(() => [...(inbox()?.messages ?? [])].sort(keys)[number], "a mail's header");
  const tabmail = mainWindow().document.getElementById("tabmail");
  while (tabmail.tabInfo.length > 1) {
    tabmail.closeTab(tabmail.tabInfo[1]);
  }
  tabmail.openTab("mailMessageTab", {
    messageURI: inbox().getUriForMsg(header),
    background: false,
  });
  const shown = await until(
    () => tabmail.tabInfo.length > 1 && messageWindow()?.msgLoaded && messageWindow(),
    "a mail on the screen",
  );
  const bar = shown.document.getElementById("imip-bar");
  await pause(2500);
  const buttons = [...shown.document.querySelectorAll("#imip-view-toolbar > *")];
  return {
    subject: header.mime2DecodedSubject,
    attachments: shown.currentAttachments.map((one) => one.name),
    hasBar: !bar.collapsed && !bar.hidden,
    says: bar.querySelector(".msgNotificationBarText, #imip-bar-text, description")?.textContent ?? "",
    offers: buttons.filter((one) => !one.hidden && !one.collapsed).map((one) => one.id),
  };
}

async function press(name) {
  const shown = messageWindow();
  const button = shown.document.getElementById(name);
  button.doCommand();
  await pause(500);
}
