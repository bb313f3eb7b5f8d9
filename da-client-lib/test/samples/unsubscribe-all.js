daService.UnsubscribeAll().then(function (payload) {
console.log("Unsubscription result: " + JSON.stringify(payload));
}).catch(function (err) {
return console.error(err.toString());
});
