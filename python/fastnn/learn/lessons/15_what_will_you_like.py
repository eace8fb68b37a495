"""What will you like? 12 minutes. After: 1."""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="15. What will you like?")


@app.cell
def setup():
    import fastnn
    import marimo as mo
    import numpy as np
    from fastnn.learn import lesson

    return fastnn, lesson, mo, np


@app.cell
def title(mo):
    mo.md("""
    # 15. What will you like?

    A film club has 800 members and 120 films. Everybody has seen some and given stars. From the
    stars alone, without a word about the films, a machine will learn what the members like. You
    join, rate eight films, and it tells you which ten to see next: **collaborative filtering**.

    12 minutes. You need to know what a loss is, and what one step of training does (lesson 1).
    """)
    return


@app.cell
def club(np):
    _words = {
        "thriller": "Midnight Bloody Silent Burning Final Frozen / Signal Cellar Mirror Map Road",
        "adventure": "Captain Rocket Pirate Dragon Jungle Turbo / Parade Holiday Rally Queen Kids",
        "romance": "Dear Marrying Kissing Missing Saving Finding / Clara Leo Rosa Alma Emil",
        "drama": "Empty Distant Broken Winter Borrowed Quiet / Field Letter House Bell Shore",
    }
    kinds = np.repeat(list(_words), 30)
    _pairs = [[half.split() for half in words.split("/")] for words in _words.values()]
    titles = np.array([f"{a} {b}" for ones, others in _pairs for a in ones for b in others])
    _random = np.random.default_rng(15)
    # a film's place is (loud or quiet, merry or dark); a member's taste weighs the two
    _corners = np.array([[1, -1], [1, 1], [-1, 1], [-1, -1]])
    _places = 0.75 * np.repeat(_corners, 30, axis=0) + _random.normal(0, 0.4, (120, 2))
    _tastes = _random.normal(0, 0.6, (800, 2))
    _generosity, _quality = _random.normal(0, 0.35, 800), _random.normal(0, 0.4, 120)
    wanted = np.clip(3.4 + _generosity[:, None] + _quality + _tastes @ _places.T, 0.5, 5)
    # which films a member has seen depends on how popular they are, not on taste
    _chance = _random.gamma(4, size=(800, 1)) * _random.permutation(1 / (np.arange(120) + 15))
    _order = np.argsort(-np.log(_chance).ravel() - _random.gumbel(size=96_000))
    _user, _item = np.unravel_index(_random.permutation(_order[:28_800]), wanted.shape)
    _stars = np.round(2 * (wanted[_user, _item] + _random.normal(0, 0.7, 28_800))) / 2
    club = {"user": _user, "item": _item, "rating": np.clip(_stars, 0.5, 5)}
    return club, kinds, titles, wanted


@app.cell
def data(club, mo, titles):
    _who, _what, _stars = (club[name][0] for name in ("user", "item", "rating"))
    bigger = mo.ui.switch(label="use MovieLens instead: 100,836 real ratings of real films")
    _text = mo.md(f"""
    Member {_who} gave *{titles[_what]}* {_stars:g} stars: there are 28,800 rows like this, and
    nothing else. As a table of members by films that is 30 % of the cells; **the others are
    blank**. To fill the blanks is all we want. One rating in five is held back, to test with.

    We made this club up, and so know what nobody knows of real ratings: how much each member would
    like each film, and how large the whim is on top. The switch changes your map and list alone.
    """)
    mo.vstack([_text, bigger])
    return (bigger,)


@app.cell
def chosen(bigger, club, fastnn, kinds, mo, np, titles):
    _lacks = bigger.value and not fastnn.datasets.is_here("movielens-small")
    _remedy = "`fastnn data get movielens-small` fetches the file; then switch off and on again."
    mo.stop(_lacks, mo.callout(mo.md(_remedy), kind="warn"))
    if bigger.value:
        table = fastnn.datasets.fetch_movielens_small()
        # NumPy opens zip files too; what is no array comes as bytes
        _zip = np.load(fastnn.datasets.fetch("movielens-small")[0])
        _lines = _zip["ml-latest-small/movies.csv"].decode().splitlines()[1:]
        _parts = [line.rsplit(",", 1)[0].split(",", 1) for line in _lines]
        names = {int(number): name.strip('"') for number, name in _parts}
        kind_of = dict.fromkeys(names, "film")
        _ids, _counts = np.unique(table["item"], return_counts=True)
        to_rate = _ids[np.argsort(-_counts)[:8]]
    else:
        table, names, kind_of = club, dict(enumerate(titles)), dict(enumerate(kinds))
        # the two most popular of each kind, which are 30 films each
        _counts = np.bincount(club["item"]).reshape(4, 30)
        to_rate = np.ravel(np.argsort(-_counts)[:, :2] + np.arange(0, 120, 30)[:, np.newaxis])
    return kind_of, names, table, to_rate


@app.cell
def idea(mo):
    mo.md("""
    ## The idea

    Every member has a vector **p** of a few numbers, and every film a vector **q** of as many.
    Nobody says what they mean. One may come to say how loud a film is and how much a member likes
    noise; then their product is large if the two fit. All products added up are the **dot
    product** p · q. Two more numbers, the **biases**, take what has nothing to do with taste: some
    members are generous, some films are good.

    ```
    rating = 0.5 + 4.5 * sigmoid(p · q + bias of the member + bias of the film + c)
    ```

    With all else at 0, c gives the mean rating. Training takes rows in small batches and moves the
    numbers of *their* members and films down the gradient of the squared error. How long vectors
    are is the number of **factors**. **Weight decay** pulls all numbers to 0 a little in each step.
    """)
    return


@app.cell
def training(club, fastnn, np, wanted):
    def rmse(errors):
        return float(np.sqrt(np.mean(np.square(errors))))

    def parted(table):
        """Return ratings to train with, and every fifth, to test with."""
        fifth = np.arange(len(table["rating"])) % 5 == 0
        return [{name: column[rows] for name, column in table.items()} for rows in (~fifth, fifth)]

    def train(table, factors=2, weight_decay=0.03, y_range=(0.5, 5.0), **settings):
        settings |= {"learning_rate": 0.01, "epochs": 20, "random_state": 0}
        settings |= {"y_range": y_range, "weight_decay": weight_decay}
        return fastnn.RatingRecommender(factors, **settings).fit(table)

    def error_of(model, table):
        return rmse(model.predict(table["user"], table["item"]) - table["rating"])

    known, held = parted(club)
    _user, _item, _mean = known["user"], known["item"], known["rating"].mean()
    _of_user, _of_item = np.zeros(800), np.zeros(120)
    for _ in range(10):  # biases without vectors: in turns, damped as if by three more ratings
        _rest = known["rating"] - _mean - _of_user[_user]
        _of_item = np.bincount(_item, _rest) / (np.bincount(_item) + 3)
        _rest = known["rating"] - _mean - _of_item[_item]
        _of_user = np.bincount(_user, _rest) / (np.bincount(_user) + 3)
    two, _many = train(known), train(known, factors=32)
    errors = {
        "mean": rmse(_mean - held["rating"]),
        "biases": rmse(_mean + _of_user[held["user"]] + _of_item[held["item"]] - held["rating"]),
        "two": error_of(two, held),
        "two, trained": error_of(two, known),
        "many": error_of(_many, held),
        "many, trained": error_of(_many, known),
        "deep": error_of(train(known, factors=4, hidden_layer_sizes=(32,)), held),
        "floor": rmse(wanted[held["user"], held["item"]] - held["rating"]),
    }
    _table = np.zeros((800, 120))
    _table[_user, _item] = known["rating"]
    _all = dict(zip(("user", "item"), np.divmod(np.arange(96_000), 120), strict=True))
    filled = train(_all | {"rating": _table.ravel()}, y_range=(0.0, 5.0), batch_size=256)
    errors["blanks as 0"] = error_of(filled, held)
    return error_of, errors, filled, held, known, parted, train, two


@app.cell
def question(mo):
    by_heart = "It falls on the ratings trained with, and rises on those held back."
    _options = [
        "It falls on both: more numbers can say more about taste.",
        by_heart,
        "It stays: the other 30 factors find nothing to do and remain at 0.",
    ]
    _label = """**Predict first.** In this club taste *is* two numbers a head: we made it so. You
    take vectors of 32 numbers instead of 2. What happens to the error?"""
    prediction = mo.ui.radio(_options, label=_label)
    prediction
    return by_heart, prediction


@app.cell
def sliders(lesson, mo, names, prediction, to_rate):
    lesson.predict_first(mo, prediction)
    _sizes, _decays = [1, 2, 4, 8, 32], [0.03, 0.1, 0.3, 1.0, 3.0]
    factors = mo.ui.slider(steps=_sizes, value=2, label="factors", show_value=True)
    decay = mo.ui.slider(steps=_decays, value=0.03, label="weight decay", show_value=True)
    _stars = ["not seen", *("★" * n for n in range(1, 6))]
    _fields = [mo.ui.dropdown(_stars, value="not seen", label=names[film]) for film in to_rate]
    yours = mo.md("""
    ## Your turn

    Rate some of these films: go by their names, you have nothing else. See how the map and your
    list change. Then move the sliders, and watch the errors below the picture.

    | rate these | and these |
    | --- | --- |
    | {film_0} | {film_1} |
    | {film_2} | {film_3} |
    | {film_4} | {film_5} |
    | {film_6} | {film_7} |
    """).batch(**{f"film_{n}": field for n, field in enumerate(_fields)})
    tried = []  # factors, decay and errors of each trial with this table
    mo.vstack([yours, mo.hstack([factors, decay], justify="start", gap=2, wrap=True)])
    return decay, factors, tried, yours


@app.cell
def your_model(decay, error_of, factors, parted, table, train, tried):
    _known, _held = parted(table)
    model = train(_known, factors.value, decay.value)
    trial = factors.value, decay.value, error_of(model, _known), error_of(model, _held)
    if trial not in tried:
        tried.append(trial)
    return model, trial


@app.cell
def picture_map_and_list(kind_of, lesson, model, names, np, table, to_rate, yours):
    _given = zip(to_rate, yours.value.values(), strict=True)
    _you = model.fold_in({film: 1.0 * stars.count("★") for film, stars in _given if "★" in stars})
    _best, _scores = _you.recommend(10)
    _films, _counts = np.unique(table["item"], return_counts=True)
    _counts = _counts[np.searchsorted(_films, model.items_)]
    _shown = np.isin(model.items_, _best) | (_counts >= np.sort(_counts)[-300:][0])
    # turned so that the widest direction lies flat, whatever the number of factors
    _axes = np.zeros((2, model.factors))
    _axes[: model.factors] = np.linalg.svd(model.item_embeddings_, full_matrices=False)[2][:2]
    _at, _arrow = model.item_embeddings_ @ _axes.T, _axes @ _you.embedding
    _stars = _you.predict(model.items_)
    _kinds = np.array([kind_of[film] for film in model.items_])
    _look = {"cmap": "Oranges", "vmin": 1, "vmax": 5, "edgecolor": lesson.GREY, "linewidth": 0.6}

    def _draw(films, best):
        for kind, marker in zip(dict.fromkeys(kind_of.values()), "D^os", strict=False):
            rows = _shown & (_kinds == kind)
            _look.update(s=12 + 4 * np.sqrt(_counts[rows]), c=_stars[rows])
            dots = films.scatter(*_at[rows].T, marker=marker, label=kind, **_look)
        below = {"location": "bottom", "shrink": 0.7, "aspect": 30}
        films.figure.colorbar(dots, ax=films, label="stars you would give", **below)
        films.set(xticks=[], yticks=[], title="The films, as the model sees them")
        films.legend(loc="lower center", bbox_to_anchor=(0.5, -0.11), ncols=4, handletextpad=0)
        if _arrow.any():
            tip = 0.9 * _arrow * (_at @ _arrow).max() / (_arrow @ _arrow)  # almost at the rim
            line = {"arrowstyle": "-|>", "color": lesson.BLUE, "linewidth": 2}
            films.annotate("", tip, (0, 0), arrowprops=line)
            films.text(*(1.08 * tip), "you", color=lesson.BLUE, fontweight="bold", ha="center")
        best.barh(range(10), _scores, color=lesson.BLUE)
        for place, (film, score) in enumerate(zip(_best, _scores, strict=True)):
            spot, beside = _at[model.items_ == film][0], {"textcoords": "offset points"}
            films.annotate(place + 1, spot, (3, 3), fontweight="bold", **beside)
            words = f"{place + 1}  {names[film][:34]}"
            best.text(0.6, place, words, color="white", va="center")
            best.text(score - 0.05, place, f"{score:.1f}", color="white", va="center", ha="right")
        best.set(xlim=(0.5, 5), ylim=(9.6, -0.6), yticks=[], title="See these next")
        best.set_xlabel("stars you would give")

    lesson.figure(
        _draw,
        alt="Left: the films as points; films liked by the same people lie in the same direction. "
        f"Right: your ten best. First comes {names[_best[0]]} with {_scores[0]:.1f} stars.",
        columns=2,
        size=(10, 5.6),
    )
    return


@app.cell
def errors_tried(mo, trial, tried):
    _rows = "\n    ".join("| {} | {:g} | {:.3f} | {:.3f} |".format(*row) for row in tried)
    mo.md(f"""
    Now **{trial[3]:.3f}** stars on the ratings held back (root of the mean square). So far:

    | factors | decay | trained with | held back |
    | --- | --- | --- | --- |
    {_rows}
    """)
    return


@app.cell
def answer(errors, by_heart, lesson, mo, prediction):
    lesson.reveal(
        mo,
        prediction,
        by_heart,
        f"""With 32 factors and hardly any decay the error on the ratings trained with falls from
        {errors["two, trained"]:.2f} to {errors["many, trained"]:.2f} stars: less than the whim,
        which no knowledge of taste can predict. The model has learnt whims by heart. On the
        ratings held back it goes from {errors["two"]:.2f} to {errors["many"]:.2f}. Decay repairs
        much of it: try 1.0 with 32 factors.""",
    )
    return


@app.cell
def how_good(errors, mo):
    mo.md(f"""
    ## How good is it?

    An error means nothing without another one to compare it with. On the ratings held back:

    | what predicts | error in stars |
    | --- | --- |
    | the mean rating, for everybody and everything | {errors["mean"]:.3f} |
    | biases alone: generous members, good films | {errors["biases"]:.3f} |
    | biases and two factors | **{errors["two"]:.3f}** |
    | a network of 32 units in place of the dot product | {errors["deep"]:.3f} |
    | whoever knows every taste, but not the whims | {errors["floor"]:.3f} |

    Taste begins with the third row. The network (`hidden_layer_sizes=(32,)`) can bend where the
    product cannot, but first it has to learn to multiply. On real ratings, too, a well-tuned
    product is hard to beat ([Rendle and others, 2020](https://arxiv.org/abs/2005.09683)).

    ## In the library

    Three columns go in. A guest who was not there in training is **folded in**: the films stay as
    they are, and only the guest's own vector and bias are solved for, a small least-squares
    problem. That is why your list follows at once.
    """)
    return


@app.cell
def library(club, fastnn, mo):
    recommender = fastnn.RatingRecommender(
        2, y_range=(0.5, 5.0), weight_decay=0.03, learning_rate=0.01, epochs=20, random_state=0
    )
    recommender.fit(club)  # a table with the columns user, item, rating
    guest = recommender.fold_in({0: 5.0, 7: 4.5, 40: 2.0, 95: 1.0})
    films, stars = guest.recommend(n=3)
    mo.show_code(
        f"films {films.tolist()}, stars {stars.astype(float).round(2).tolist()}", position="above"
    )
    return (recommender,)


@app.cell
def same_steps(club, fastnn, mo):
    _steps = {"optimizer": fastnn.optimizers.SGD(30.0), "batch_size": 28_800, "n_jobs": 1}
    _slow = fastnn.RatingRecommender(2, y_range=(0.5, 5.0), dtype="float64", **_steps)
    _tables = "user_embeddings_", "item_embeddings_", "user_biases_", "item_biases_"
    _slow.set_params(random_state=0).partial_fit(club)
    start = [getattr(_slow, name).copy() for name in _tables]
    for _ in range(10):
        _slow.partial_fit(club)
    after = [getattr(_slow, name) for name in _tables]
    mo.md("""
    ## The same in plain Python

    The library trains with AdamW in small shuffled batches. To compare numbers, both take ten
    plain steps down the gradient of all rows at once, from the same vectors `start`. One film is
    in one row of 120, so the mean over all rows moves it little: hence the large rate of 30.
    """)
    return after, start


@app.cell
def plain_python(club, mo, np, start):
    user, item, rating = club["user"], club["item"], club["rating"]
    p, q, user_bias, item_bias = start
    mean = np.log((rating.mean() - 0.5) / (5 - rating.mean()))
    for _ in range(10):
        score = np.sum(p[user] * q[item], axis=1) + mean
        share = 1 / (1 + np.exp(-score - user_bias[user] - item_bias[item]))
        wrong = 0.5 + 4.5 * share - rating
        slope = 2 * wrong * 4.5 * share * (1 - share) / len(rating)
        to_p, to_q = np.zeros_like(p), np.zeros_like(q)
        np.add.at(to_p, user, slope[:, np.newaxis] * q[item])
        np.add.at(to_q, item, slope[:, np.newaxis] * p[user])
        p, q = p - 30 * to_p, q - 30 * to_q
        user_bias = user_bias - 30 * np.bincount(user, slope)
        item_bias = item_bias - 30 * np.bincount(item, slope)
    mo.show_code(item_bias[:4].tolist(), position="above")
    return item_bias, p, q, user_bias


@app.cell
def the_same(after, item_bias, known, mo, np, p, q, two, user_bias):
    _pairs = zip(after, (p, q, user_bias, item_bias), strict=True)
    apart = max(np.abs(theirs - ours).max() for theirs, ours in _pairs)
    _means = np.bincount(known["item"], known["rating"]) / np.bincount(known["item"])
    agreement = np.corrcoef(two.item_biases_, _means)[0, 1]
    mo.md(f"""
    The library's first bias is {after[3][0]:.8f}; at most, the two differ by {apart:.0e}. Look at
    `np.add.at`: a row gives its film's vector to its member, and its member's to its film.
    **Nobody is compared with anybody**; members help each other because they meet in the films.

    ## What is on the map?

    - **The kinds.** The shapes on the map are ours. The model has never heard of thrillers, and
      yet they lie together: two films lie in the same direction if members who like the one like
      the other. That the same people have *seen* them is not what counts.
    - **Not the good and the bad.** That is in the biases, which go with the films' mean ratings
      (correlation {agreement:.2f}). Before you rate, your list has the highest biases.
    - **No names for the axes.** Turn all vectors by the same angle, and every dot product stays as
      it was. A direction may happen to mean "loud", but no axis has to.
    - **You, an arrow.** Films ahead of it get more stars, films behind it fewer.
    """)
    return agreement, apart


@app.cell
def break_it(mo):
    fill = mo.ui.switch(label="break it: write 0 stars into the blanks, train on the full table")
    _text = mo.md("""
    ## Spot the mistake

    > "Ratings form a matrix. We write 0 where there is no rating, and factorise the matrix."

    **A blank is not a zero.** A zero says: seen, and hated. A blank says: we do not know. Seven
    cells of ten are blank, and their zeros outvote the stars. The singular value decomposition of
    a textbook needs a full matrix; training on the rows that are there does not.
    """)
    mo.vstack([_text, fill])
    return (fill,)


@app.cell
def what_broke(errors, fill, filled, held, known, mo, np):
    mo.stop(not fill.value)
    _seen = np.corrcoef(filled.item_biases_, np.bincount(known["item"]))[0, 1]
    mo.md(f"""
    The same model with the same settings now promises
    **{filled.predict(held["user"], held["item"]).mean():.1f} stars** on the average for films to
    which members went on to give {held["rating"].mean():.1f}. Its error on the ratings held back
    is **{errors["blanks as 0"]:.2f}**, where we had {errors["two"]:.2f}. It has learnt who has
    *seen* what: its biases go with the *number* of ratings of a film (correlation {_seen:.2f}).
    """)
    return


@app.cell
def exercise_1(lesson, mo):
    exercise_1 = lesson.Exercise(
        "15.1",
        "A shop has 1,000,000 customers and 500,000 articles. It trains vectors of 32 factors, with"
        " biases. How many **million** numbers does it learn?",
        answer=(1_000_000 + 500_000) * (32 + 1) / 1e6,
        hint="Each customer has a vector and a bias, and so has each article.",
        why="33 numbers for each of 1.5 million. The table has 500,000 million cells.",
    )
    answer_1 = exercise_1.ask(mo)
    answer_1
    return answer_1, exercise_1


@app.cell
def verdict_1(answer_1, exercise_1, mo):
    exercise_1.verdict(mo, answer_1.value)
    return


@app.cell
def exercise_2(lesson, mo, np, two):
    _constant = np.log((two.global_mean_ - 0.5) / (5 - two.global_mean_))
    exercise_2 = lesson.Exercise(
        "15.2",
        "A film comes out that nobody has rated: its vector and its bias are zeros. In this club c"
        f" is {_constant:.2f}, and the bias of member 17 is {two.user_biases_[17]:.2f}. How many"
        " stars does the model predict?",
        answer=float(two.predict([17], [999])[0]),
        tolerance=0.02,
        hint="Put q = 0 into the formula. sigmoid(z) is 1 / (1 + exp(-z)).",
        why="The mean rating, moved by how generous the member is: this is the **cold start**.",
    )
    answer_2 = exercise_2.ask(mo)
    answer_2
    return answer_2, exercise_2


@app.cell
def verdict_2(answer_2, exercise_2, mo):
    exercise_2.verdict(mo, answer_2.value)
    return


@app.cell
def facts(agreement, apart, errors, kinds, lesson, np, recommender):
    _every = recommender.predict(*np.divmod(np.arange(96_000), 120))
    _loved = {film: 5.0 if kinds[film] == "thriller" else 1.5 for film in range(0, 120, 15)}
    _thrillers = np.sum(kinds[recommender.fold_in(_loved).recommend(10)[0]] == "thriller")
    _two, _of = errors["two"], lesson.Fact
    facts = [
        _of("farthest prediction from 2.75, the middle", np.abs(_every - 2.75).max(), "<=", 2.25),
        _of("error on ratings held back, against the mean's", _two, "<", errors["mean"]),
        _of("the same against that of biases alone", _two, "<", errors["biases"]),
        _of("the same, in multiples of the noise floor", _two / errors["floor"], "<", 1.1),
        _of("error when blanks are zeros, against ours", errors["blanks as 0"], ">", _two),
        _of("correlation of item biases and mean ratings", agreement, ">", 0.8),
        _of("32 factors: error trained with", errors["many, trained"], "<", errors["two, trained"]),
        _of("32 factors: error held back", errors["many"], ">", _two),
        _of("thrillers in the top 10 of a guest who likes these alone", _thrillers, ">=", 8),
        _of("plain Python and the library differ by", apart, "<", 1e-12),
    ]
    lesson.check(facts)
    return (facts,)


if __name__ == "__main__":
    app.run()
