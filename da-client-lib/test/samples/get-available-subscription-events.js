daService.GetAvailableSubscriptionEvents().then(function (payload) {
console.log("AvailableSubscriptionEvents result: " + JSON.stringify(payload));
}).catch(function (err) {
return console.error(err.toString());
});
