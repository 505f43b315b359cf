// The compiled peer of bench/invocation.py: one record of a PostgreSQL table by its key, as JSON, governed by nothing.
//
//	peer CONNECTION-STRING HOST:PORT
package main

import (
	"context"
	"encoding/json"
	"log"
	"net/http"
	"os"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

func main() {
	pool, err := pgxpool.New(context.Background(), os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("POST /query", func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Keys []string `json:"keys"`
		}
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<18)).Decode(&asked); err != nil {
			http.Error(w, "bad request", http.StatusBadRequest)
			return
		}
		rows, err := pool.Query(r.Context(), "SELECT * FROM people WHERE citizen_id = ANY($1)", asked.Keys)
		if err != nil {
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
			return
		}
		found, err := pgx.CollectRows(rows, pgx.RowToMap)
		if err != nil {
			http.Error(w, "unavailable", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("content-type", "application/json")
		json.NewEncoder(w).Encode(found)
	})
	log.Fatal(http.ListenAndServe(os.Args[2], nil))
}
