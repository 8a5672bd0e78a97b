// Package world is what surrounds the replicas of a simulation: virtual time, the clocks of machines, the links between
// them, and the randomness of each part. It knows nothing of replicas.
package world
