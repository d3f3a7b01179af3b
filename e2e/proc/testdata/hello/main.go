// Command hello is what the tests of package proc build and run.
package main

import "fmt"

func main() { fmt.Println("hello") }
