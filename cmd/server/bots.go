package main

import (
	"context"
	"errors"
)

type bots struct{}

func (a *app) buildBots(context.Context) error { a.bots = &bots{}; return nil }

func (b *bots) invite(context.Context, string) error { return errors.New("not yet") }
