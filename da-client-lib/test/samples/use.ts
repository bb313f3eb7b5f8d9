// What an application of TypeScript may and may not write.
import { DAService, eventNames, isEvent, type Message, type OpenStatus, type SubscriptionItem } from "da-client-lib";

const service = new DAService("https://rte.example.com/rte", async () => "token", { share: true });
const items: SubscriptionItem[] = [
  { EntityId: "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3", EventName: "QueueStatus", Snapshot: true },
  { EntityId: "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3", EventName: "queuestatus", After: null },
  // @ts-expect-error there is no such event
  { EntityId: "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3", EventName: "QueueState" },
];

service.OnSubscriptionDataChanged.on((message: Message) => {
  if (isEvent(message, "QueueStatus")) {
    const status: OpenStatus = message.data.openStatus;
    // @ts-expect-error a status has no caller
    void message.data.callerNumber;
    void status;
  }
  // @ts-expect-error not known before the event is
  void message.data.openStatus;
});
service.OnSubscriptionDataChanged.on("UserCallInComing", ({ data, subscription }) => {
  const caller: string | null = data.callerNumber;
  void [caller, subscription.eventName satisfies "UserCallInComing" | "usercallincoming"];
});
// @ts-expect-error there is no such event
service.OnSubscriptionDataChanged.on("UserCalls", () => {});
service.OnConnectionStateChanged.on(({ state, error }) => void [state satisfies string, error?.code]);
service.OnNotice.on(({ kind }) => void (kind === "missed"));

export async function read(): Promise<void> {
  const connected: boolean = await service.Connect();
  const [result] = await service.Subscribe(items);
  for await (const message of service) if (connected && result?.subscribed) void message.cursor;
  const all: true = await service.UnsubscribeAll();
  void [all, eventNames[0] satisfies "UserActionMobileCall"];
}
