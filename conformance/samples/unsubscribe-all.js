//This will delete all subscriptions and return true on success.
connection.invoke("UnsubscribeAll", subscriptions).then(function (payload) {
console.log("UnsubscribeAll result: " + JSON.stringify(payload));
}).catch(function (err) {
return console.error(err.toString());
});
