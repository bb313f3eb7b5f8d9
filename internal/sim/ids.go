package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"

	"rte/internal/event"
)

// digest is the source of all ids: the same seed, kind and number always give
// the same bytes, whatever else happened before.
func (c *Centre) digest(kind string, n uint64) [sha256.Size]byte {
	b := binary.BigEndian.AppendUint64(nil, c.seed)
	b = binary.BigEndian.AppendUint64(b, n)
	return sha256.Sum256(append(b, kind...))
}

// guid makes the n-th Guid of a kind, in the form of a random (version 4) one.
func (c *Centre) guid(kind string, n uint64) event.GUID {
	sum := c.digest(kind, n)
	g := event.GUID(sum[:16])
	g[6] = g[6]&0x0f | 0x40
	g[8] = g[8]&0x3f | 0x80
	return g
}

// leg makes a leg id in the form of the public sample (domain report, 2.4);
// the address is from a range reserved for documentation (RFC 5737).
func (c *Centre) leg(n uint64) string {
	sum := c.digest("leg "+c.run, n)
	return fmt.Sprintf("%s@192.0.2.%d_br%d", hex.EncodeToString(sum[:16]), 1+int(sum[16])%250, 1+sum[17]%4)
}

// userName is the login name of the i-th agent: an address at example.com
// (RFC 2606). Names repeat, with a number, only beyond 1,640 agents.
func (c *Centre) userName(i int) string {
	first, last := firstNames(), lastNames()
	sum := c.digest("names", 0)
	// 281 has no factor in common with the 41 last names, so that each pair
	// comes once in 40 × 41.
	n := int(binary.BigEndian.Uint16(sum[:])) + i
	f := n % len(first)
	l := (7*n + n/len(first)) % len(last)
	name := first[f] + "." + last[l]
	if again := i / (len(first) * len(last)); again > 0 {
		name += strconv.Itoa(again + 1)
	}
	return name + "@example.com"
}

// queueName is the name of the i-th queue.
func queueName(i int) string {
	names := queueNames()
	if i < len(names) {
		return names[i]
	}
	return names[i%len(names)] + " " + strconv.Itoa(i/len(names)+1)
}

// All numbers below are in ranges that the numbering authorities reserve for
// fiction and never assign: Ofcom's numbers for drama, and 555-0100 to 0199
// in North America. E.164, with "+".

// agentNumber is the direct number of the i-th agent.
func agentNumber(i int) string {
	cities := [...]string{"+44207946", "+44161496", "+44131496", "+44117496", "+44121496", "+44113496", "+44115496", "+44116496"}
	return fmt.Sprintf("%s%04d", cities[i/1000%len(cities)], i%1000)
}

// queueNumber is the number customers dial for the i-th queue: freephone.
func queueNumber(i int) string { return fmt.Sprintf("+44808157%04d", (100+10*i)%1000) }

// customerNumber draws the number of somebody outside.
func (c *Centre) customerNumber() string {
	n := c.rand.IntN(1000)
	switch c.rand.IntN(4) {
	case 0:
		return fmt.Sprintf("+441632960%03d", n)
	case 1:
		cities := [...]string{"202", "212", "303", "415", "617"}
		return fmt.Sprintf("+1%s55501%02d", cities[c.rand.IntN(len(cities))], n%100)
	default:
		return fmt.Sprintf("+447700900%03d", n)
	}
}

func queueNames() []string {
	return []string{
		"Sales", "Support", "Billing", "Deliveries", "Returns", "Technical Help", "Bookings", "Renewals",
		"Key Customers", "Claims", "Warranty", "Accounts", "Switchboard", "Partners", "Onboarding", "Repairs",
	}
}

func firstNames() []string {
	return []string{
		"anna", "mikko", "sofia", "james", "emma", "lars", "ines", "tomas", "freya", "oliver",
		"elena", "noah", "aino", "david", "maja", "pedro", "hanna", "liam", "chloe", "viktor",
		"nadia", "hugo", "saara", "adam", "julia", "felix", "amira", "jonas", "leila", "simon",
		"petra", "oscar", "mei", "rasmus", "clara", "daniel", "yusuf", "ida", "marek", "rosa",
	}
}

func lastNames() []string {
	return []string{
		"korhonen", "smith", "nielsen", "garcia", "meyer", "jansen", "novak", "rossi", "dubois", "virtanen",
		"hansen", "brown", "silva", "kowalski", "berg", "schmidt", "laine", "murphy", "costa", "lindgren",
		"fischer", "patel", "makinen", "taylor", "andersen", "moreau", "popescu", "wagner", "haddad", "oconnor",
		"larsson", "bianchi", "horvat", "evans", "salonen", "weber", "martin", "dahl", "khan", "vries", "wright",
	}
}
