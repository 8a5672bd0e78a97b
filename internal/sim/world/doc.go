// Package world provides the surroundings of simulated replicas: virtual time, the clocks of machines, the links between
// them, and a random stream for each part. It does not depend on replicas.
package world
