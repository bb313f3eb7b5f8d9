daService.Subscribe(subscriptions).then(function (payload) {
console.log("Subscription result: " + JSON.stringify(payload));
}).catch(function (err) {
return console.error(err.toString());
});
