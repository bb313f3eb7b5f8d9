// Compiled against the declarations that are published, never run.
import { DAService, isEvent, type Message, type SubscriptionResult } from "da-client-lib";

export async function use(service: DAService, id: string): Promise<SubscriptionResult[]> {
  service.OnSubscriptionDataChanged.on((message: Message) => {
    if (isEvent(message, "QueueStatus")) {
      const waiting: number = message.data.nbrOfQueuingRequesters;
      // @ts-expect-error this event has no such member
      void message.data.callerNumber;
      return void waiting;
    }
    // @ts-expect-error nobody knows yet what it is
    void message.data.nbrOfQueuingRequesters;
  });
  await service.Subscribe([{ EntityId: id, EventName: "UserAvailability" }, { EntityId: id, EventName: "queuestatus", After: "" }]);
  // @ts-expect-error no event of the catalogue
  await service.Subscribe([{ EntityId: id, EventName: "NoSuchEvent" }]);
  for await (const m of service) void m.cursor;
  return service.Subscribe<string>([{ EntityId: id, EventName: "OfTheInstallation" }]);
}
