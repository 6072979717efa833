// Makes the pair of RSA keys that a server with accounts signs its tokens with, in the forms that it reads.
package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
)

func main() {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(err)
	write("private.pem", "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	write("public.pem", "PUBLIC KEY", public)
}

func write(name, kind string, bytes []byte) {
	block := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes})
	check(os.WriteFile(filepath.Join(os.Args[1], name), block, 0o600))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
