public class ClientSubscriptionModel
{
public string EntityId { get; set; }
public string EventName { get; set; }
}
public class RTEMessage
{
public ClientSubscriptionModel Subscription { get; set; }
public dynamic Data { get; set; }
}
RTEHubConnection.On<RTEMessage>("MessageReceived", (message) =>
{
RTE_Message_Received(message.subscription, message.data);
});
ClientSubscriptionModel[] subscriptions = new ClientSubscriptionModel[2];
subscriptions[0] = new ClientSubscriptionModel
{
EntityId = "a1eeb030-ff4b-ea11-ac9c-00155d4fdcf3",
EventName = "UserAvailability"
};
subscriptions[0] = new ClientSubscriptionModel
{
EntityId = "c9eeb030-ff4b-ea11-ac9c-00155d4fdcf3",
EventName = "UserCallIncoming"
};
RTEHubConnection.InvokeAsync("Subscribe", subscriptions);
public void RTE_Message_Received(ClientSubscriptionModel subscription, dynamic payload)
{
}
