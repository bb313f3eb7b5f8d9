// Package auth decides who somebody is and what they may hear.
//
// A [Verifier] turns the text of a JSON Web Token into a [Principal] or into
// an [Error] with a [Reason] from a closed list. The principal then answers
// for itself: [Principal.May] is the rule table of who may hear which event
// of which entity, [Principal.MayPublish] who may publish for whom.
//
// Where the claims do not say it, or are not to be believed in it, the
// platform's resolver says who somebody is, or a [Directory] that the platform
// fills. What cannot be had then is an [Unavailable].
//
// # Keys
//
// There are two sets of keys: the users' keys and the service keys. The roles
// service, platform and admin are honoured only from a service key; claimed
// under a users' key they count as user. A user's token must be signed with a
// users' key: producers and operators hold service keys, and holding one must
// not mean being able to speak as any user. Where no service keys are set, the
// users' keys are both. Of each set any key is good, so that a key is exchanged
// by having the old and the new one for a while.
//
// Keys come from the settings, from a file, or from where an issuer publishes
// them; each is a source, and the last known keys of a source that fails go on
// working. A key is pinned to the algorithms it is made for, and nothing in a
// token can bring a key or choose an algorithm that none is for.
//
// # Strictness
//
// What is in doubt gives less, never more: an unknown role is user, an id
// that cannot be read is as if it were not there, two claims of one name are
// refused. A token has exactly one spelling: stray line ends, padding and loose
// bits at the end of a part are refused.
//
// # The tenant wall
//
// The organization is no part of a rule. It is the principal's, and topics are
// keyed by it; a rule that is wrong cannot reach into another organization.
//
// No token and no part of one is ever in an error text or a log value of this
// package, but for [Report], which is made to show one. A verifier with key sets
// has a goroutine for each, from Start to Close, and one for each question that
// is under way to the resolver.
package auth
