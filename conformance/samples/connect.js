//signalr.js from Microsoft must be referenced on the page
var connection = new signalR.HubConnectionBuilder()
.withUrl(rteUrl, { accessTokenFactory: () => GetToken() })
.withAutomaticReconnect()
.build();
